#!/usr/bin/env -S node --max-semi-space-size=4
import { explain, runCli } from './cli/run-cli.js';
import { StopSignals } from './cli/stop-signals.js';
import { Terminal } from './cli/terminal.js';

// Node 20 is supported on purpose; the SDK's reminder would be the first thing every sync to S3 says.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const terminal = new Terminal(process);
const stop = new StopSignals(process, () => terminal.live(''));

function die(error: unknown): void {
  terminal.note(`holdfast: unexpected: ${explain(error)}\n`);
  process.exit(1);
}
process.on('uncaughtException', die);
process.on('unhandledRejection', die);

const exitCode = await runCli(process.argv.slice(2), { terminal, stop });
await terminal.flush();
// Whatever a library still holds open must not keep a finished command alive.
process.exit(exitCode);
