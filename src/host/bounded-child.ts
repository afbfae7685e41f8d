import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { ChildSessions } from './child-sessions.js';
import { sessionMemory } from './session-memory.js';

const MEMORY_POLL_MS = 100;
/** After the limit in this process: `timeout` is for the case that this process was killed. */
const ORPHAN_MS = 5_000;
/** Without credentials: the program may be someone else's. */
const ENVIRONMENT = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH', 'PYTHONPATH'];

export interface ChildBounds {
  /** Resident memory of the child with all that it starts, measured ten times a second. */
  readonly memoryMaxBytes: number;
  /** How long it may run. */
  readonly lifeMaxMs: number;
}

/**
 * A program with a session of its own, pipes for its standard input and output, and limits. It is killed with its group
 * when it exceeds one. Its standard error is discarded: it may quote recorded data.
 */
export class BoundedChild implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #sessions: ChildSessions;
  readonly #timers: NodeJS.Timeout[] = [];
  #fault: string | undefined;
  /** How it ended, in words; undefined: with exit code 0. */
  readonly ended: Promise<string | undefined>;

  constructor(command: readonly string[], bounds: ChildBounds, sessions: ChildSessions) {
    this.#sessions = sessions;
    const life = String((bounds.lifeMaxMs + ORPHAN_MS) / 1_000);
    this.#child = spawn('timeout', ['--signal=KILL', life, ...command], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => ENVIRONMENT.includes(name))),
    });
    // A write to a program that has ended; how it ended says why.
    this.#child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`cannot be started: ${error.message}`));
      this.#child.once('close', (code, signal) => resolve(this.#fault ?? describeEnd(code, signal)));
    });
    void this.ended.then(() => this.#clear());
    const { pid } = this.#child;
    if (pid !== undefined) {
      sessions.add(pid);
      this.#watch(pid, bounds);
    }
  }

  get stdin(): Writable {
    return this.#child.stdin;
  }

  get stdout(): Readable {
    return this.#child.stdout;
  }

  /** Ends it; `ended` gives this reason unless it had ended before. */
  kill(reason: string): void {
    this.#fault ??= reason;
    this.#clear();
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
  }

  /** Kills the program, for this reason, if the work takes longer. */
  async within<T>(limitMs: number, reason: string, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.kill(reason), limitMs);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('was stopped');
    await this.ended;
  }

  #watch(pid: number, { memoryMaxBytes, lifeMaxMs }: ChildBounds): void {
    const memory = setInterval(() => {
      void sessionMemory(pid).then((bytes) => {
        if (bytes > memoryMaxBytes) this.kill(`took ${bytes} bytes of memory; allowed: ${memoryMaxBytes}`);
      });
    }, MEMORY_POLL_MS);
    const life = setTimeout(() => this.kill(`ran longer than ${lifeMaxMs / 1_000} s`), lifeMaxMs);
    this.#timers.push(memory, life);
    for (const timer of this.#timers) timer.unref();
  }

  #clear(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    const { pid } = this.#child;
    if (pid !== undefined) this.#sessions.end(pid);
  }
}

/** 125 to 127 are exit codes of `timeout` itself. */
function describeEnd(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (signal !== null) return `was killed by ${signal}`;
  if (code === 127) return 'cannot be started: it was not found (exit code 127)';
  if (code === 126) return 'cannot be started: it is not executable (exit code 126)';
  return code === 0 ? undefined : `ended with exit code ${code}`;
}
