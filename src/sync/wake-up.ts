import type { Clock } from '../core/clock.js';

/** Wakes all waiters. If nothing waits, the next wait returns at once. */
export class WakeUp {
  #isNotified = false;
  #wake: (() => void) | undefined;

  notify(): void {
    this.#isNotified = true;
    this.#wake?.();
  }

  /** Resolves on a wake-up, after `ms`, or when the signal aborts (never rejects). One waiter at a time. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isNotified && !signal.aborted) {
      const done = new AbortController();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true, signal: done.signal });
        clock.sleep(ms, done.signal).then(resolve, () => undefined);
      });
      done.abort();
      this.#wake = undefined;
    }
    this.#isNotified = false;
  }
}
