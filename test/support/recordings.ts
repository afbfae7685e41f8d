import { fileURLToPath } from 'node:url';

/** Path of a real recording under test/fixtures/recordings. */
export function recording(name: 'two_robots' | 'two_robots_split_zstd' | 'killed'): string {
  return fileURLToPath(new URL(`../fixtures/recordings/${name}`, import.meta.url));
}
