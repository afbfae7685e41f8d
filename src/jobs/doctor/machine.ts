import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { defined } from '../../core/defined.js';
import type { Clock } from '../../core/clock.js';
import type { FileSystem } from '../../core/file-system.js';

/** What the checks ask of the machine, injected. */
export interface Machine {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  /** Version of Node.js, such as `22.23.3`. */
  readonly node: string;
  /** The text of a small file, such as one below /proc; undefined if it cannot be read. */
  text(path: string): Promise<string | undefined>;
  /** Standard output of a program; undefined if it is not there, fails, or takes longer than two seconds. */
  output(program: string, args: readonly string[]): Promise<string | undefined>;
}

const PROGRAM_MS = 2_000;

/** The machine on which this process runs. The signal ends a program that is asked. */
export function thisMachine(
  { fs, clock, env }: Pick<Machine, 'fs' | 'clock' | 'env'>,
  signal?: AbortSignal,
): Machine {
  return {
    fs,
    clock,
    env,
    node: process.versions.node,
    text: (path) => readFile(path, 'utf8').catch(() => undefined),
    output: (program, args) =>
      new Promise((resolve) => {
        const options = { timeout: PROGRAM_MS, encoding: 'utf8', ...defined({ signal }) } as const;
        execFile(program, [...args], options, (error, stdout) =>
          resolve(error === null ? stdout : undefined),
        );
      }),
  };
}
