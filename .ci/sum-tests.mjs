// Prints the closing line over all runs of a tally: node .ci/sum-tests.mjs FILE
import { readFileSync } from 'node:fs';
import { closingLine, printUnstable } from '../bin/judge-tests.mjs';

const runs = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));
printUnstable(runs.flatMap((run) => run.unstable ?? []));
// The end of a log is what people see first.
const failures = runs.flatMap((run) => run.failures ?? []);
if (failures.length > 0) console.log('\nwhat failed, over all runs:');
for (const { title, error } of failures) console.log(`  ${title}\n      ${error.slice(0, 300)}`);
const sum = (name) => runs.reduce((total, run) => total + run[name], 0);
console.log(`\n${closingLine({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') })}`);
