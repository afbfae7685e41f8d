import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defined } from '../../src/core/defined.js';
import { ownUserId } from '../../src/host/user-id.js';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const main = fileURLToPath(new URL(`../../src/app/main.${extension}`, import.meta.url));

/** How the tests themselves run decides: compiled, or their sources through a loader. */
const loader = extension === 'ts' ? ['--import', import.meta.resolve('tsx')] : [];

/** Nothing of what tests make belongs into the user's own cache, nor two users' into one folder. */
export function testCacheFolder(uid = ownUserId()): string {
  return join(tmpdir(), `holdfast-test-cache-${uid}`);
}

export interface CliRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of standard output, parsed; `undefined` if it is no JSON. {@link jsonOf} insists on it. */
  readonly json: Record<string, unknown> | undefined;
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** User and group the process runs as; only root may choose. */
  readonly uid?: number;
}

export interface CliProcess {
  readonly child: ChildProcess;
  /** Resolves when the process has ended and all its output is read. */
  readonly ended: Promise<CliRun>;
  /** What it printed so far, on both streams. */
  output(): string;
  /** Resolves when its output so far contains the pattern; rejects when it ends without. */
  waitFor(pattern: RegExp): Promise<void>;
}

/** Starts the command line as a process of its own. */
export function spawnCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  const child = spawn(process.execPath, [...loader, main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: testCacheFolder(options.uid), ...options.env },
    ...defined({ cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
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
    output: () => stdout + stderr,
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

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return spawnCli(args, options).ended;
}

/** The JSON that a command printed at its end. Fails with what it printed instead. */
export function jsonOf({ json, exitCode, stdout, stderr }: CliRun): Record<string, unknown> {
  assert.ok(json, `no JSON at the end, exit code ${exitCode}:\n${stdout}\n${stderr}`);
  return json;
}

function lastLine(stdout: string): Record<string, unknown> | undefined {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
