import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

/** Path of a real recording under test/fixtures/recordings, from the sources and from dist/ alike. */
export function recording(name: 'two_robots' | 'two_robots_split_zstd' | 'killed'): string {
  return join(packageRoot, 'test', 'fixtures', 'recordings', name);
}
