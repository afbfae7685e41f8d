/** The timers of the event loop. */
export interface PaceTimers {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls back once after `ms`; gives what cancels it. */
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
 * Calls `act` at least every `maxMs`, and soon after {@link poke}, but never twice within `minMs`: a status is
 * told on every change, and a storm of changes is told as one.
 */
export class Pace implements Disposable {
  #cancel: (() => void) | undefined;
  #dueAtMs = 0;
  #lastMs: number;
  #isOver = false;

  constructor(
    private readonly act: () => void,
    private readonly minMs: number,
    private readonly maxMs: number,
    private readonly timers: PaceTimers = systemTimers,
  ) {
    this.#lastMs = timers.nowMs() - maxMs;
    this.#schedule(0);
  }

  /** Something changed. */
  poke(): void {
    const waitMs = Math.max(0, this.#lastMs + this.minMs - this.timers.nowMs());
    if (this.timers.nowMs() + waitMs < this.#dueAtMs) this.#schedule(waitMs);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    if (this.#isOver) return;
    this.#cancel?.();
    this.#dueAtMs = this.timers.nowMs() + ms;
    this.#cancel = this.timers.after(ms, () => {
      this.#lastMs = this.timers.nowMs();
      // The next one stands before `act`, which may throw or poke.
      this.#schedule(this.maxMs);
      this.act();
    });
  }
}
