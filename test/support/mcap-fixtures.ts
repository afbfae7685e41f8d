import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

/** Path of a file of test/fixtures/mcap, from the sources and from dist/ alike. */
export function mcapFixture(name: string): string {
  return join(packageRoot, 'test', 'fixtures', 'mcap', name);
}
