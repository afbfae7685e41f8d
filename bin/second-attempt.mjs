// Gives the files of a few failed tests a second attempt. A test that only passes then depends on luck: every run
// names it, so that somebody mends it, but it does not hide what the other tests found.
import { readFileSync, writeFileSync } from 'node:fs';

/** Of one run. More failures than these are no accident, and all of them count. */
export const MAX_SECOND_ATTEMPTS = 3;

/** The files to run again, or none: nothing failed, too much failed, or a failure belongs to no file. */
export function filesToRepeat({ failures }) {
  const files = failures.map(({ file }) => file);
  const isFew = failures.length <= MAX_SECOND_ATTEMPTS && files.every((file) => file !== undefined);
  return isFew ? [...new Set(files)] : [];
}

/**
 * Moves those failures of the first report to `unstable` whose whole file passed in the second one. A file that failed
 * again keeps its failures.
 */
export function withSecondAttempt(first, second) {
  const failedAgain = new Set(second.failures.map(({ file }) => file));
  const unstable = first.failures.filter(({ file }) => !failedAgain.has(file));
  return {
    ...first,
    passed: first.passed + unstable.length,
    failed: first.failed - unstable.length,
    failures: first.failures.filter(({ file }) => failedAgain.has(file)),
    unstable,
  };
}

/** Joins the reports of both runs in the file of the first. Returns whether every file passed at last. */
export function joinReports(firstPath, secondPath) {
  const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
  const joined = withSecondAttempt(read(firstPath), read(secondPath));
  writeFileSync(firstPath, JSON.stringify(joined));
  return joined.failures.length === 0;
}
