// Joins what the reporter of the tests (test/support/honest-reporter.ts) wrote about each file.

export const emptyReport = () => ({
  passed: 0,
  failed: 0,
  skipped: [],
  failures: [],
  onMiddlewares: [],
  fileTimes: {},
});

/** Adds the report of one file. */
export function addReport(report, more) {
  report.passed += more.passed;
  report.failed += more.failed;
  report.skipped.push(...more.skipped);
  report.failures.push(...more.failures);
  report.onMiddlewares.push(...more.onMiddlewares);
  Object.assign(report.fileTimes, more.fileTimes);
}

/** Prints the counts and what failed, as mocha does at the end of a run. */
export function printEnd({ passed, failed, skipped, failures }, tookMs) {
  const minutes = Math.floor(tookMs / 60_000);
  const took = minutes > 0 ? `${minutes}m` : `${Math.round(tookMs / 1_000)}s`;
  console.log(`\n\n  ${passed} passing (${took})`);
  if (skipped.length > 0) console.log(`  ${skipped.length} pending`);
  if (failed > 0) console.log(`  ${failed} failing`);
  failures.forEach(({ title, error, detail }, index) => {
    const text = (detail ?? error).replaceAll('\n', '\n     ');
    console.log(`\n  ${index + 1}) ${title}:\n     ${text}`);
  });
  console.log('');
}
