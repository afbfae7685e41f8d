import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Limits the data of the process to the first argument, in KiB, and runs the others in its place. If the
 * limit cannot be set, nothing runs (exit code 125), unless a lower limit already applies. No core dumps:
 * they contain recorded data.
 */
const LAUNCHER =
  'ulimit -c 0; ulimit -d "$1" 2>/dev/null || [ "$(ulimit -d)" != unlimited ] || exit 125; shift; exec "$@"';

export interface LimitedProcessOptions {
  /** Path of the script Node.js runs. */
  readonly script: string;
  readonly args: readonly string[];
  /**
   * Limit of private writable memory, bytes, by `RLIMIT_DATA`. Unlike the address space, this does not count
   * memory that V8 and DuckDB only reserve.
   */
  readonly dataMaxBytes: number;
  /** Maximum of the JavaScript heap, bytes. */
  readonly heapMaxBytes: number;
}

/**
 * Starts a script of this program with limits, a channel, and an environment without credentials, because the
 * script may run someone else's input.
 */
export function spawnLimited(options: LimitedProcessOptions): ChildProcess {
  const { script, args, dataMaxBytes, heapMaxBytes } = options;
  const limit = String(Math.floor(dataMaxBytes / 1_024));
  const heap = `--max-old-space-size=${Math.floor(heapMaxBytes / 1_048_576)}`;
  const command = [process.execPath, ...loaderOf(process.execArgv), heap, script, ...args];
  return spawn('/bin/sh', ['-c', LAUNCHER, 'sh', limit, ...command], {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    env: pick(process.env, ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH']),
  });
}

/** What sources need to run uncompiled. */
function loaderOf(flags: readonly string[]): string[] {
  const at = flags.indexOf('--import');
  return at < 0 ? [] : flags.slice(at, at + 2);
}

function pick(from: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}
