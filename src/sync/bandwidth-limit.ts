import { NS_PER_S, type Clock } from '../core/clock.js';
import { onAbort } from '../core/on-abort.js';

/**
 * A token bucket that may go into debt: a part is sent at once if the balance is not negative, and is paid
 * for afterwards. So parts larger than the bucket pass, and the average holds.
 */
export class BandwidthLimit {
  readonly #clock: Clock;
  #bytesPerS: number;
  #burstBytes: number;
  /** Ends the waits that were computed with another rate. */
  readonly #wakers = new Set<() => void>();
  #balance: number;
  #at: bigint;

  /** `bytesPerS` 0: unlimited. The bucket never holds more than a quarter of a second's worth. */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock;
    this.#bytesPerS = bytesPerS;
    this.#burstBytes = bytesPerS / 4;
    this.#balance = this.#burstBytes;
    this.#at = clock.monotonic();
  }

  /** Sets another rate, also for pending waits; debts are paid at the new rate. */
  change(bytesPerS: number): void {
    this.#refill();
    this.#bytesPerS = bytesPerS;
    this.#burstBytes = bytesPerS / 4;
    this.#balance = Math.min(this.#balance, this.#burstBytes);
    for (const wake of this.#wakers) wake();
  }

  /** Resolves when `bytes` may be sent. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#bytesPerS === 0) return;
      this.#refill();
      if (this.#balance >= 0) break;
      await this.#wait(Math.max(1, (-this.#balance / this.#bytesPerS) * 1000), signal);
    }
    this.#balance -= bytes;
  }

  /** Waits, but at most until the rate changes. Rejects with the signal's reason. */
  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#wakers.add(wake);
    const unlisten = onAbort(signal, wake);
    await this.#clock.sleep(ms, woken.signal).catch(() => undefined);
    this.#wakers.delete(wake);
    unlisten();
    signal.throwIfAborted();
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    const earned = (Number(now - this.#at) / Number(NS_PER_S)) * this.#bytesPerS;
    this.#balance = Math.min(this.#burstBytes, this.#balance + earned);
    this.#at = now;
  }
}
