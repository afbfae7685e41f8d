import { execFile } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs one measurement of this folder in its own process and gives the JSON of its last line. */
export async function runCase<T>(script: string, args: readonly (string | number)[]): Promise<T> {
  const path = fileURLToPath(new URL(`./${script}${extname(import.meta.url)}`, import.meta.url));
  const { stdout } = await run(process.execPath, [...process.execArgv, path, ...args.map(String)], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
}
