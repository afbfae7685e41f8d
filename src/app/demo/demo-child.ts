import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { HoldfastError } from '../../core/errors.js';

/** Bytes of a child's standard error that are kept, for the report of a failure. */
const TAIL_BYTES = 16 * 1024;

/** One of the demo's processes: a real one that can be killed. */
export class DemoChild {
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  #stdoutTail = '';
  #stderrTail = '';

  constructor(
    readonly name: string,
    script: string,
    args: readonly string[],
    nodeFlags: readonly string[] = [],
  ) {
    this.#process = spawn(process.execPath, [...process.execArgv, ...nodeFlags, script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stdout?.on('data', (data: Buffer) => (this.#stdoutTail = tail(this.#stdoutTail, data)));
    this.#process.stderr?.on('data', (data: Buffer) => (this.#stderrTail = tail(this.#stderrTail, data)));
    this.exited = once(this.#process, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    this.exited.catch(() => undefined);
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** It ended by a signal, or was asked to end. */
  get isKilled(): boolean {
    return this.#process.killed;
  }

  get errorOutput(): string {
    return this.#stderrTail.trim();
  }

  /** SIGKILL: no handler runs, nothing is flushed. Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (this.running) this.#process.kill('SIGKILL');
    await this.exited;
  }

  terminate(): void {
    if (this.running) this.#process.kill('SIGTERM');
  }

  /** Waits for a normal end and returns the last line of standard output as JSON. */
  async result(): Promise<Record<string, unknown>> {
    const { code, signal } = await this.exited;
    const line = this.#stdoutTail.trim().split('\n').at(-1) ?? '';
    if (code !== 0) {
      throw new HoldfastError('INTERNAL', `the ${this.name} ended with ${signal ?? `exit code ${code}`}`, {
        cause: new Error(this.errorOutput.split('\n').slice(-5).join(' | ') || line),
      });
    }
    return JSON.parse(line) as Record<string, unknown>;
  }

  /** Resolves with the first line of standard output, for processes that announce themselves. */
  async firstLine(): Promise<string> {
    while (this.running && !this.#stdoutTail.includes('\n')) {
      await Promise.race([this.exited, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    const [line, ...rest] = this.#stdoutTail.split('\n');
    if (rest.length === 0)
      throw new HoldfastError('INTERNAL', `the ${this.name} did not start: ${this.errorOutput}`);
    return line as string;
  }
}

function tail(text: string, data: Buffer): string {
  return (text + data.toString('utf8')).slice(-TAIL_BYTES);
}
