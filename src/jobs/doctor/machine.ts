import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
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

/** The machine on which this process runs. */
export function thisMachine({ fs, clock, env }: Pick<Machine, 'fs' | 'clock' | 'env'>): Machine {
  return {
    fs,
    clock,
    env,
    node: process.versions.node,
    text: (path) => readFile(path, 'utf8').catch(() => undefined),
    output: (program, args) =>
      new Promise((resolve) => {
        execFile(program, [...args], { timeout: PROGRAM_MS, encoding: 'utf8' }, (error, stdout) =>
          resolve(error === null ? stdout : undefined),
        );
      }),
  };
}
