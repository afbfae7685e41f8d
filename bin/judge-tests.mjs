// Reads what the reporter of the tests wrote, prints what was not run and why, and judges it.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

const REFUSED_SHOWN = 20;

/**
 * Prints the tests that were skipped, by what the machine lacks, and the closing line. Returns whether the run
 * counts as passed.
 *
 * @param path   The report of test/support/honest-reporter.ts.
 * @param accept What this machine may lack; undefined: everything that names a reason.
 * @param low    Failures beside the tests (line coverage below a floor). Each counts as one failed test.
 */
export function judgeTests(path, accept, low = []) {
  if (!existsSync(path)) {
    console.error('the tests ended without a report');
    console.log('\n0 passed, 1 failed, 0 skipped');
    tally({
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: [{ title: 'the run', error: 'it ended without a report' }],
    });
    return false;
  }
  const {
    passed,
    failed,
    skipped,
    failures = [],
    unstable = [],
    onMiddlewares = [],
  } = JSON.parse(readFileSync(path, 'utf8'));
  printMiddlewares(onMiddlewares);
  const byNeed = Map.groupBy?.(skipped, ({ need }) => need) ?? groupBy(skipped);
  if (skipped.length > 0) console.log('\nnot run on this machine:');
  for (const [need, tests] of byNeed) {
    const reasons = [...new Set(tests.map(({ reason }) => reason ?? 'no stated reason'))];
    console.log(
      `  ${tests.length} for lack of ${need ?? 'a stated reason'}: ${reasons.slice(0, 3).join('; ')}`,
    );
  }
  const refused = skipped.filter(({ need }) => need === undefined || (accept && !accept.includes(need)));
  for (const { title, need } of refused.slice(0, REFUSED_SHOWN)) {
    console.log(
      `  refused: ${title} (${need ? `not among what this machine lacks: ${need}` : 'no stated reason'})`,
    );
  }
  if (refused.length > REFUSED_SHOWN) console.log(`  refused: ${refused.length - REFUSED_SHOWN} more`);
  const counts = {
    passed,
    failed: failed + refused.length + low.length,
    skipped: skipped.length - refused.length,
  };
  for (const { title, error } of low) console.log(`\n${title}: ${error}`);
  printUnstable(unstable);
  console.log(`\n${closingLine(counts)}`);
  const refusals = refused.map(({ title, need }) => ({
    title,
    error: `skipped for lack of ${need ?? 'a stated reason'}`,
  }));
  tally({ ...counts, failures: [...failures, ...refusals, ...low], unstable });
  return refused.length === 0 && low.length === 0;
}

/** Counts the suites of a version of Node.js that nobody could install as one skipped test, if that is accepted. */
export function judgeMissingNode(major, accept) {
  const isAccepted = accept === undefined || accept.includes('node');
  console.log(
    `  1 for lack of node: Node.js ${major}${isAccepted ? '' : ' (not among what this machine lacks)'}`,
  );
  tally({ passed: 0, failed: isAccepted ? 0 : 1, skipped: isAccepted ? 1 : 0 });
  return isAccepted;
}

/** Names the tests that failed once and passed at the second attempt: they are to be mended. */
export function printUnstable(unstable) {
  if (unstable.length > 0) console.log('\npassed only at the second attempt:');
  for (const { title, error } of unstable) console.log(`  ${title}\n      ${error.slice(0, 300)}`);
}

/** The last line of every run. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Adds a line to the file that `HOLDFAST_TEST_TALLY` names, for the sum over several runs (.ci/run). */
export function tally(counts) {
  const path = process.env.HOLDFAST_TEST_TALLY;
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(counts)}\n`);
}

/** Prints which ROS tests ran on which middleware. */
function printMiddlewares(suites) {
  for (const middleware of new Set(suites.map((suite) => suite.middleware))) {
    const own = suites.filter((suite) => suite.middleware === middleware);
    const sum = (name) => own.reduce((total, suite) => total + suite[name], 0);
    const counts = (of) => `${of('passed')} passed, ${of('failed')} failed, ${of('skipped')} skipped`;
    console.log(`\nROS tests on ${middleware}: ${counts(sum)}`);
    for (const suite of own) console.log(`  ${suite.suite}: ${counts((name) => suite[name])}`);
  }
}

function groupBy(skipped) {
  const groups = new Map();
  for (const test of skipped) groups.set(test.need, [...(groups.get(test.need) ?? []), test]);
  return groups;
}

/** `HOLDFAST_TEST_LACKS`: names of test/support/lacking.ts, separated by commas; unset: no judgement. */
export function acceptedLacks(text) {
  return text === undefined
    ? undefined
    : [
        'capability',
        ...text
          .split(',')
          .map((name) => name.trim())
          .filter(Boolean),
      ];
}
