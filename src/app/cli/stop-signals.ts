const signals: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

export interface StopSignalOptions {
  /**
   * A second signal this soon after the first is the same wish told twice: a service manager signals the whole
   * group, and `ros2 launch` in it signals its nodes again. Default: 0 ms.
   */
  readonly togetherMs?: number;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP asks the command to end (it drains, or stops reading); the second
 * ends the process at once. A supervised process also ends when its supervisor is gone, so that no orphan
 * keeps the data folder.
 */
export class StopSignals implements Disposable {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;
  readonly #listeners = new Map<string, () => void>();

  constructor(
    private readonly process: NodeJS.Process,
    onSecond: () => void,
    { togetherMs = 0, nowMs = () => performance.now() }: StopSignalOptions = {},
  ) {
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
        this.#controller.abort(new Error(`ended by ${signal}`));
      });
    }
    if (process.channel) {
      // Listening must not keep a finished process alive.
      this.#listen('disconnect', () => {
        // Ended by a signal already, and now in a hurry: the supervisor got a second one.
        if (this.#exitCode !== undefined) process.exit(this.#exitCode);
        this.#exitCode = signals.SIGTERM!;
        this.#controller.abort(new Error('the supervisor is gone'));
      });
      process.channel.unref();
    }
  }

  #listen(event: string, listener: () => void): void {
    this.#listeners.set(event, listener);
    this.process.on(event, listener);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Exit code for a command that a signal cut short: 128 plus the signal's number. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  [Symbol.dispose](): void {
    for (const [event, listener] of this.#listeners) this.process.off(event, listener);
  }
}
