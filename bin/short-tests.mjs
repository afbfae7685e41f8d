// Chooses the tests that .ci/run has time for on every other version of Node.js, by the times of the last run of all.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a run leaves how long each file took, in milliseconds, by its path below the checkout. */
export const timesPath = fileURLToPath(
  new URL('../node_modules/.cache/holdfast-tests/times.json', import.meta.url),
);

/** Folders that come first: what is nearest to Node.js, which is files, streams and sockets. */
const FIRST = ['host', 'ingest', 'wal', 'stores'];

/** So long the chosen files took on the version that all tests run on. */
export const BUDGET_MS = 150_000;

/** The times of the last runs; undefined: no run has left any. */
export function readTimes(path = timesPath) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Adds the times of a run to those of earlier runs. */
export function saveTimes(times, path = timesPath) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ ...readTimes(path), ...times }));
}

/**
 * The quickest file of every folder, then the quickest files of the folders in `first` and of the others, while the
 * budget lasts. A file without a time is left out, unless its folder has no other. Keeps the order of the files.
 *
 * @param files paths such as `test/wal/recover.test.ts`
 * @param times milliseconds by path
 */
export function shortTests(files, times, budgetMs = BUDGET_MS, first = FIRST) {
  const folderOf = (file) => file.split('/')[1];
  const timeOf = (file) => times[file] ?? Infinity;
  const ascending = files.toSorted((a, b) => timeOf(a) - timeOf(b));
  const chosen = new Set();
  const folders = new Set();
  let left = budgetMs;
  const choose = (file) => {
    chosen.add(file);
    folders.add(folderOf(file));
    if (timeOf(file) !== Infinity) left -= timeOf(file);
  };
  for (const file of ascending) if (!folders.has(folderOf(file))) choose(file);
  const isFirst = (file) => first.includes(folderOf(file));
  const rest = ascending.filter((file) => !chosen.has(file));
  for (const file of [...rest.filter(isFirst), ...rest.filter((one) => !isFirst(one))]) {
    if (timeOf(file) <= left) choose(file);
  }
  return files.filter((file) => chosen.has(file));
}
