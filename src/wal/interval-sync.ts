import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';

/** Syncs once, an interval after the first write since the last sync. */
export class IntervalSync {
  #timer: Timer | undefined;

  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sync: () => Promise<void>;

  constructor(clock: Clock, logger: Logger, sync: () => Promise<void>) {
    this.#clock = clock;
    this.#logger = logger;
    this.#sync = sync;
  }

  /** Something was written. A sync that fails is logged; the next write starts another interval. */
  arm(intervalMs: number): void {
    this.#timer ??= this.#clock.after(intervalMs, () => {
      this.#timer = undefined;
      this.#sync().catch((error: unknown) => {
        this.#logger.error('fsync failed', { error: describeError(error) });
      });
    });
  }

  /** Starts the running interval again with another length. */
  rearm(intervalMs: number): void {
    if (!this.#timer) return;
    this.cancel();
    this.arm(intervalMs);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
