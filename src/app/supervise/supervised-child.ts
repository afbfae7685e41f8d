import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { present } from '../../core/present.js';
import { exitCodes } from '../../host/exit-code.js';
import { LineReader } from '../control/line-reader.js';
import { afterDeath, neverDied, type RestartPolicy, type RestartState } from '../../host/restart-policy.js';

const NS_PER_MS = 1_000_000n;
/** The last line a child prints with `--json`. */
const RESULT_MAX_BYTES = 1024 * 1024;

/** How a process finally ended. */
export interface ChildEnd {
  readonly exitCode: number;
  /** The object it printed last. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly restarts: number;
}

export interface SupervisedChildOptions {
  readonly name: string;
  /** Script and arguments of each start; called each time, so that a restart may differ. */
  readonly command: () => readonly string[];
  /** Added to the environment of this process. Default: nothing. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly policy: RestartPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Standard error of the child. */
  readonly onLog: (chunk: string) => void;
}

/** Exits that another start would only repeat. Busy counts only at the first start. */
const pointless: ReadonlySet<number> = new Set([exitCodes.usage]);

/**
 * One process of `holdfast up`, restarted with backoff whenever it dies. It runs in its own process group, so
 * that Ctrl-C reaches it once, through its parent, and ends by itself when the parent is gone (its channel
 * closes).
 */
export class SupervisedChild {
  #child: ChildProcess | undefined;
  #stopping = false;
  #restarts = 0;
  readonly #wait = new AbortController();
  /** Resolves when the process ended and will not be restarted. */
  readonly ended: Promise<ChildEnd>;

  readonly #options: SupervisedChildOptions;

  constructor(options: SupervisedChildOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Ends the process; it is not restarted. Idempotent; a second signal reaches it as such. */
  stop(signal: NodeJS.Signals): void {
    this.#stopping = true;
    this.#child?.kill(signal);
    this.#wait.abort();
  }

  async #run(): Promise<ChildEnd> {
    const { clock, logger, name, policy } = this.#options;
    let state: RestartState = neverDied;
    for (;;) {
      const startedAt = clock.monotonic();
      const { exitCode, signal, result } = await this.#runOnce();
      const end = { exitCode, result, restarts: this.#restarts };
      const final = pointless.has(exitCode) || (exitCode === exitCodes.busy && this.#restarts === 0);
      if (exitCode === exitCodes.ok || final || this.#stopping) return end;

      const ranForMs = Number((clock.monotonic() - startedAt) / NS_PER_MS);
      const next = afterDeath(state, ranForMs, policy);
      state = next.state;
      logger.warn(`${name} died, restarting it`, {
        exitCode: signal === undefined ? exitCode : undefined,
        signal,
        ranForMs,
        inMs: next.delayMs,
      });
      await clock.sleep(next.delayMs, this.#wait.signal).catch(() => {});
      // It may have been stopped during the wait.
      if (this.#stopping as boolean) return end;
      this.#restarts++;
    }
  }

  #runOnce(): Promise<{ exitCode: number; signal: NodeJS.Signals | undefined; result: ChildEnd['result'] }> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [...this.#options.command()], {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, ...this.#options.environment },
      });
      this.#child = child;
      const lines = new LineReader(RESULT_MAX_BYTES);
      let last: string | undefined;
      present(child.stdout).on('data', (chunk: Buffer) => {
        last = lines.push(chunk)?.at(-1) ?? last;
      });
      present(child.stderr).setEncoding('utf8').on('data', this.#options.onLog);
      child.on('error', (error) => {
        this.#options.logger.error(`${this.#options.name} cannot be started`, {
          error: describeError(error),
        });
        if (child.pid === undefined) resolve({ exitCode: 1, signal: undefined, result: undefined });
      });
      child.on('close', (code, signal) => {
        this.#child = undefined;
        resolve({ exitCode: code ?? 1, signal: signal ?? undefined, result: parseResult(last) });
      });
    });
  }
}

function parseResult(line: string | undefined): ChildEnd['result'] {
  if (line === undefined) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // it died before its last line was complete
  }
}
