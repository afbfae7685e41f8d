import { present } from '../../core/present.js';
const signals: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

export interface StopSignalOptions {
  /**
   * A second signal within this time counts as the same one: a service manager signals the whole group, and
   * `ros2 launch` in it signals its nodes again. Default: 0 ms.
   */
  readonly togetherMs?: number;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP asks the command to end (it drains, or stops reading); the second ends
 * the process at once. A supervised process also ends when its supervisor is gone, so that no orphan holds
 * the data folder.
 */
export class StopSignals implements Disposable {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;
  #graceMs: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  readonly #listeners = new Map<string, () => void>();

  readonly #process: NodeJS.Process;
  readonly #onSecond: () => void;

  /** @param onSecond called before the process is ended at once */
  constructor(
    process: NodeJS.Process,
    onSecond: () => void,
    { togetherMs = 0, nowMs = () => performance.now() }: StopSignalOptions = {},
  ) {
    this.#process = process;
    this.#onSecond = onSecond;
    let firstAtMs = 0;
    for (const [signal, exitCode] of Object.entries(signals)) {
      this.#listen(signal, () => {
        if (this.#exitCode !== undefined) {
          if (nowMs() - firstAtMs < togetherMs) return;
          onSecond();
          process.exit(exitCode);
        }
        firstAtMs = nowMs();
        this.#exitCode = exitCode;
        this.#armDeadline();
        this.#controller.abort(new Error(`ended by ${signal}`));
      });
    }
    if (process.channel) {
      // Listening must not keep a finished process alive.
      this.#listen('disconnect', () => {
        // A signal already ended it, and now the supervisor got a second one.
        if (this.#exitCode !== undefined) process.exit(this.#exitCode);
        this.#exitCode = present(signals.SIGTERM);
        this.#armDeadline();
        this.#controller.abort(new Error('the supervisor is gone'));
      });
      process.channel.unref();
    }
  }

  /**
   * From now on a signal ends the process after this many milliseconds, in any state of the command; if there
   * was one already, the time starts now. Undefined: no limit.
   */
  endWithin(graceMs: number | undefined): void {
    this.#graceMs = graceMs;
    if (this.#exitCode !== undefined) this.#armDeadline();
  }

  #armDeadline(): void {
    clearTimeout(this.#deadline);
    if (this.#graceMs === undefined) return;
    this.#deadline = setTimeout(() => {
      this.#onSecond();
      this.#process.exit(this.#exitCode);
    }, this.#graceMs);
    // A command that ends in time must not wait for it.
    this.#deadline.unref();
  }

  #listen(event: string, listener: () => void): void {
    this.#listeners.set(event, listener);
    this.#process.on(event, listener);
  }

  /** Aborts with the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Exit code for a command that a signal ended: 128 plus the signal's number. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    for (const [event, listener] of this.#listeners) this.#process.off(event, listener);
  }
}
