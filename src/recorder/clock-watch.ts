import type { Clock } from '../core/clock.js';
import type { ClockStep } from '../wal/segment-format.js';

/** Smaller deviations are drift, or the slewing of a time daemon. */
const STEP_MIN_NS = 100_000_000n;

/** Detects jumps of the wall clock against monotonic time. */
export class ClockWatch {
  #offset: bigint;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** The step since the last call, or undefined if there was none. */
  check(): ClockStep | undefined {
    const now = this.#clock.now();
    const offset = now - this.#clock.monotonic();
    const step = offset - this.#offset;
    this.#offset = offset;
    if (step < STEP_MIN_NS && step > -STEP_MIN_NS) return undefined;
    return { at: String(now), stepNs: String(step) };
  }
}
