import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Ends a child process and waits for its end. Does nothing if it never started or has ended. */
export async function endChild(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}
