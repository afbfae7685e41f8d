import type { Clock, Timer } from '../../src/core/clock.js';

interface Waiting {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
}

/** Time that passes only when a test says so. */
export class SimulatedClock implements Clock {
  /** Milliseconds since it was made. */
  nowMs = 0;
  readonly #waiting = new Set<Waiting>();

  /** Timers that are still to come. */
  get pending(): number {
    return this.#waiting.size;
  }

  now(): bigint {
    return BigInt(Math.round(this.nowMs * 1e6));
  }

  monotonic(): bigint {
    return this.now();
  }

  after(ms: number, run: () => void): Timer {
    return this.#wait({ dueMs: this.nowMs + ms, everyMs: undefined, run });
  }

  every(ms: number, run: () => void): Timer {
    return this.#wait({ dueMs: this.nowMs + ms, everyMs: ms, run });
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const timer = this.after(ms, resolve);
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Lets time pass at once: calls what is due, each timer once. */
  pass(ms: number): void {
    this.nowMs += ms;
    for (const one of [...this.#waiting].sort((a, b) => a.dueMs - b.dueMs)) {
      if (one.dueMs > this.nowMs || !this.#waiting.has(one)) continue;
      if (one.everyMs === undefined) this.#waiting.delete(one);
      else one.dueMs += one.everyMs;
      one.run();
    }
  }

  /** Lets time pass at once, then lets everything that this set off settle. */
  async advance(ms: number): Promise<void> {
    this.pass(ms);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  #wait(one: Waiting): Timer {
    this.#waiting.add(one);
    return { cancel: () => void this.#waiting.delete(one) };
  }
}
