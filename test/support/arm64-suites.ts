import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of `test/` that run on arm64: the layers with native parts or formats of their own, and what is below. */
export const ARM64_LAYERS = [
  'core',
  'encryption',
  'exporters',
  'ingest',
  'log',
  'recordings',
  'seal',
  'settings',
  'simulation',
  'sync',
  'uplink',
  'wal',
] as const;

const MANY_RUNS = 'it repeats one computation thousands of times, which takes the emulator many minutes';

/** Suites that do not run on arm64, by their path below `test/`, with the reason. */
export const ARM64_SUITES_LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ['core/mcap/damage', MANY_RUNS],
  ['seal/many-channels', MANY_RUNS],
  ['seal/sealed-damage', MANY_RUNS],
  ['sync/crash', MANY_RUNS],
  ['sync/mounts', 'real mounts are the same on every processor, and each test waits for their timeouts'],
  ['sync/policy-month', MANY_RUNS],
  ['wal/crash-states', 'the library that it preloads is built for the processor of this machine'],
  ['wal/damage', MANY_RUNS],
]);

/** Tests that do not run on arm64, by their title, with the reason. */
export const ARM64_TESTS_LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ['runs every example of its page', 'the kernel cannot start the program of esbuild by its path'],
]);

/** Paths of the compiled suites of a layer, from the root of the checkout. */
export function arm64SuitesOf(layer: string, root: string): string[] {
  const folder = join('dist', 'test', layer);
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => !ARM64_SUITES_LEFT_OUT.has(`${layer}/${path.slice(0, -'.test.js'.length)}`))
    .map((path) => join(folder, path))
    .sort();
}

/** Options of mocha that leave out tests by their title. */
export function arm64Grep(): string[] {
  const escaped = [...ARM64_TESTS_LEFT_OUT.keys()].map((title) =>
    title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return ['--grep', escaped.join('|'), '--invert'];
}
