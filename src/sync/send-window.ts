import type { Clock } from '../core/clock.js';
import { Budget } from './budget.js';

/** Bounds what a broken link costs: never more in flight than it moves in this time. */
const WINDOW_SECONDS = 4;
/** Weight of the newest measurement. */
const WEIGHT = 0.4;

/**
 * Bounds the bytes in flight: what the link moves in four seconds, at least one part, at most what memory
 * allows. A fast link stays full. On a slow link segments are sent one at a time, and a dead zone does not
 * cost several half-sent parts.
 */
export class SendWindow {
  readonly #clock: Clock;
  readonly #minBytes: number;
  readonly #budget: Budget;
  #inFlight = 0;
  #bytesPerS: number | undefined;

  constructor(clock: Clock, minBytes: number, maxBytes: number) {
    this.#clock = clock;
    this.#minBytes = minBytes;
    this.#budget = new Budget(maxBytes);
    this.#budget.limit(minBytes);
  }

  /** Present size, bytes. Before the first measurement: the minimum. */
  get bytes(): number {
    const wanted = (this.#bytesPerS ?? 0) * WINDOW_SECONDS;
    return Math.min(this.#budget.capacity, Math.max(this.#minBytes, wanted));
  }

  /** Waits for room, then sends; a success measures the link. */
  async send<T>(bytes: number, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const release = await this.#budget.take(bytes, signal);
    this.#inFlight += bytes;
    const together = this.#inFlight;
    const begin = this.#clock.monotonic();
    try {
      const result = await send();
      this.#measure(together, Number(this.#clock.monotonic() - begin) / 1e9);
      return result;
    } finally {
      this.#inFlight -= bytes;
      release();
    }
  }

  #measure(bytes: number, seconds: number): void {
    const sample = bytes / Math.max(seconds, 1e-6);
    const before = this.#bytesPerS ?? sample;
    this.#bytesPerS = before + WEIGHT * (sample - before);
    this.#budget.limit(this.bytes);
  }
}
