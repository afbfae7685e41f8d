import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/app/system/version.js';
// The build is a script of the checkout, not part of the compiled program.
const buildScript = join(packageRoot, 'bin', 'build.mjs');

export interface CliRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of standard output, parsed; `undefined` where it is no JSON. */
  readonly json: Record<string, unknown> | undefined;
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

export interface CliProcess {
  readonly child: ChildProcess;
  /** Resolves when the process has ended and all its output is read. */
  readonly ended: Promise<CliRun>;
  /** Resolves when its output so far contains the pattern; rejects when it ends without. */
  waitFor(pattern: RegExp): Promise<void>;
}

/** Starts the built command line, building it first where a source changed. */
export async function spawnCli(args: readonly string[], options: CliOptions = {}): Promise<CliProcess> {
  const { build } = (await import(buildScript)) as { build: () => boolean };
  build();
  const main = join(packageRoot, 'dist', 'src', 'app', 'main.js');
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
  });
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const notify = (): void => watchers.forEach((watcher) => watcher());
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    notify();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
    notify();
  });
  let isOver = false;
  const ended = new Promise<CliRun>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      isOver = true;
      resolve({ exitCode, signal, stdout, stderr, json: lastLine(stdout) });
      notify();
    });
  });
  return {
    child,
    ended,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.test(stdout) || pattern.test(stderr);
          if (!found && !isOver) return;
          watchers.delete(look);
          if (found) resolve();
          else reject(new Error(`ended without ${String(pattern)}:\n${stdout}\n${stderr}`));
        };
        watchers.add(look);
        look();
      }),
  };
}

/** Runs the built command line to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return (await spawnCli(args, options)).ended;
}

function lastLine(stdout: string): Record<string, unknown> | undefined {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
