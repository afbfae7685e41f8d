import { Terminal } from '../../host/terminal.js';
import { ensureHome } from '../../host/user-id.js';
import { explain, runCli } from './run-cli.js';
import { StopSignals } from './stop-signals.js';

/** Runs the command line of this process and ends the process with its exit code. */
export async function startCli(): Promise<never> {
  // Node 20 is supported on purpose; otherwise every sync to S3 would start with the SDK's reminder.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  ensureHome();

  const terminal = new Terminal(process);
  const stop = new StopSignals(process, () => terminal.live(''));
  const die = (error: unknown): void => {
    terminal.note(`holdfast: unexpected: ${explain(error)}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const exitCode = await runCli(process.argv.slice(2), { terminal, stop });
  await terminal.flush();
  // Open handles of a library must not keep a finished command alive.
  return process.exit(exitCode);
}
