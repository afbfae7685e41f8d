/** `Date.now()` is cut to whole milliseconds: a deviation up to this is no step of the clock. */
const STEP_MS = 2;

/**
 * Milliseconds to add to a monotonic time for the wall clock's. Stays as it is while the two agree within the
 * resolution of the wall clock; follows a step once it was seen twice, since a thread that had to wait between its
 * two readings sees one that does not exist.
 */
export class WallOffset {
  #suspected: number | undefined;

  constructor(public ms: number) {}

  /** Readings of both clocks at the same moment, ms. Returns whether the offset changed. */
  update(wallMs: number, monotonicMs: number): boolean {
    // On average the wall clock is half a millisecond behind what it shows.
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
