/** `Date.now()` has whole milliseconds: a difference up to this is not a clock step. */
const STEP_MS = 2;

/**
 * Milliseconds to add to a monotonic time to get the wall clock. It is constant while both clocks agree
 * within the resolution of the wall clock. It follows a step only when the step was seen twice, because a
 * thread that waits between its two readings sees a step that did not happen.
 */
export class WallOffset {
  #suspected: number | undefined;

  constructor(public ms: number) {}

  /** Takes readings of both clocks at the same moment, ms. Returns whether the offset changed. */
  update(wallMs: number, monotonicMs: number): boolean {
    // On average the wall clock is half a millisecond later than its reading.
    const seen = wallMs + 0.5 - monotonicMs;
    const suspected = this.#suspected;
    this.#suspected = undefined;
    if (Math.abs(seen - this.ms) < STEP_MS) return false;
    if (suspected === undefined || Math.abs(seen - suspected) >= STEP_MS) {
      this.#suspected = seen;
      return false;
    }
    this.ms = seen;
    return true;
  }
}
