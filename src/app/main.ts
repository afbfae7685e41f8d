#!/usr/bin/env -S node --max-semi-space-size=4 --initial-old-space-size=64
import { nodeFault } from '../host/node-floor.js';

// An old Node.js loads this file and node-floor.ts, and no further module, which it could not parse. So
// neither file has `await` at the top level or a static import of anything newer.
const fault = nodeFault(process.versions.node, process.execPath);
if (fault === undefined) {
  void import('./cli/start-cli.js').then(({ startCli }) => startCli());
} else {
  process.stderr.write(`holdfast: ${fault}\n`);
  process.exitCode = 1;
}
