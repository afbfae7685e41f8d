import { spawnSync } from 'node:child_process';

/** Runs a program, its output going to the build's; throws with the command line when it fails. */
export function run(command, args, { cwd, env }) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) {
    throw new Error(`"${[command, ...args].join(' ')}" failed with ${signal ?? `exit code ${status}`}`);
  }
}
