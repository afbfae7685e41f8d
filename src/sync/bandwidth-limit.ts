import { NS_PER_S, type Clock } from '../core/clock.js';

/**
 * A token bucket that may go into debt: a part is sent at once when the account is not in the red, and
 * pays afterwards. So parts larger than the bucket pass, and the average holds.
 */
export class BandwidthLimit {
  readonly #clock: Clock;
  readonly #bytesPerS: number;
  readonly #burstBytes: number;
  #balance: number;
  #at: bigint;

  /** `bytesPerS` 0: unlimited. The account never holds more than a quarter of a second's worth. */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock;
    this.#bytesPerS = bytesPerS;
    this.#burstBytes = bytesPerS / 4;
    this.#balance = this.#burstBytes;
    this.#at = clock.monotonic();
  }

  /** Resolves when `bytes` may be sent. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerS === 0) return;
    for (;;) {
      signal.throwIfAborted();
      this.#refill();
      if (this.#balance >= 0) break;
      await this.#clock.sleep(Math.max(1, (-this.#balance / this.#bytesPerS) * 1000), signal);
    }
    this.#balance -= bytes;
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    const earned = (Number(now - this.#at) / Number(NS_PER_S)) * this.#bytesPerS;
    this.#balance = Math.min(this.#burstBytes, this.#balance + earned);
    this.#at = now;
  }
}
