import type { Timer, Timers } from '../../core/clock.js';
import { onAbort } from '../../core/on-abort.js';

/** Ends a call when no byte has moved for a while, or when its caller aborts. */
export class IdleWatch {
  readonly #abort = new AbortController();
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  readonly #unlisten: () => void;
  #timer: Timer | undefined;
  #isExpired = false;

  constructor(timers: Timers, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
    this.#unlisten = signal ? onAbort(signal, () => this.#abort.abort(signal.reason)) : () => undefined;
    this.moved();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True if it ended the call because nothing moved. */
  get isExpired(): boolean {
    return this.#isExpired;
  }

  /** Bytes moved: the time begins again. */
  moved(): void {
    this.rest();
    this.#timer = this.#timers.after(
      this.#timeoutMs,
      () => {
        this.#isExpired = true;
        this.#abort.abort();
      },
      { background: true },
    );
  }

  /** The call waits for its caller, which may take as long as it likes. */
  rest(): void {
    this.#timer?.cancel();
  }

  end(): void {
    this.rest();
    this.#unlisten();
  }
}
