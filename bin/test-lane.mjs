// A process that runs files of tests, one after the other, as bin/test-lanes.mjs gives them. Not a channel of Node.js
// but a socket connects them: the product takes a channel for its supervisor.
import './sbin-on-path.mjs';
import './source-maps.mjs';
import './cover-only-here.mjs';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import Mocha from 'mocha';

const { name, address, report } = JSON.parse(process.env.HOLDFAST_TEST_LANE);
// Tests of this program start it again.
delete process.env.HOLDFAST_TEST_LANE;
process.env.HOLDFAST_TEST_REPORT = report;

const { default: reporter, endIfLeaking } = await import('../dist/test/support/honest-reporter.js');
const { timeout, slow, checkLeaks, forbidOnly } = JSON.parse(
  readFileSync(new URL('../.mocharc.json', import.meta.url), 'utf8'),
);

const socket = connect(address, () => socket.write(`${name}\n`));
for await (const file of createInterface({ input: socket })) {
  rmSync(report, { force: true });
  await runFile(file).catch((error) => reportUnusable(file, error));
  socket.write('done\n');
}
endIfLeaking();

async function runFile(file) {
  const options = { timeout, slow, checkLeaks, forbidOnly, reporter, reporterOptions: { isOneOfMany: true } };
  const mocha = new Mocha(options).addFile(file);
  await mocha.loadFilesAsync();
  await new Promise((resolve) => mocha.run(resolve));
  // What a runner of mocha leaves there would see the errors of the next file.
  for (const event of ['uncaughtException', 'unhandledRejection']) process.removeAllListeners(event);
}

/** A file that cannot be loaded is a failure of its own. */
function reportUnusable(file, error) {
  console.error(error);
  const failures = [{ title: file, error: String(error), detail: error?.stack, file }];
  const nothing = { passed: 0, skipped: [], onMiddlewares: [], fileTimes: {} };
  writeFileSync(report, JSON.stringify({ ...nothing, failed: 1, failures }));
}
