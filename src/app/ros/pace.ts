/** The timers of the event loop. */
export interface PaceTimers {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls back once after `ms`; returns a function that cancels it. */
  after(ms: number, call: () => void): () => void;
}

export const systemTimers: PaceTimers = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Calls `act` at least every `maxMs`, and soon after {@link poke}, but never twice within `minMs`. A status
 * is published on every change, and a burst of changes is published once.
 */
export class Pace implements Disposable {
  #cancel: (() => void) | undefined;
  #dueAtMs = 0;
  #lastMs: number;
  #isOver = false;

  readonly #act: () => void;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #timers: PaceTimers;

  constructor(act: () => void, minMs: number, maxMs: number, timers: PaceTimers = systemTimers) {
    this.#act = act;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#timers = timers;
    this.#lastMs = timers.nowMs() - maxMs;
    this.#schedule(0);
  }

  /** Something changed. */
  poke(): void {
    const waitMs = Math.max(0, this.#lastMs + this.#minMs - this.#timers.nowMs());
    if (this.#timers.nowMs() + waitMs < this.#dueAtMs) this.#schedule(waitMs);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    if (this.#isOver) return;
    this.#cancel?.();
    this.#dueAtMs = this.#timers.nowMs() + ms;
    this.#cancel = this.#timers.after(ms, () => {
      this.#lastMs = this.#timers.nowMs();
      // The next timer is set before `act`, which may throw or poke.
      this.#schedule(this.#maxMs);
      this.#act();
    });
  }
}
