import { commitBoundsMs, DurationHistogram } from '../core/duration-histogram.js';

/** The last commit durations, for percentiles: a ring buffer, so that memory and cost stay fixed. */
export class CommitStats {
  count = 0;
  failed = 0;
  readonly histogram = new DurationHistogram(commitBoundsMs);
  readonly #ring = new Float64Array(RING_SIZE);

  add(durationMs: number): void {
    this.#ring[this.count % RING_SIZE] = durationMs;
    this.count++;
    this.histogram.add(durationMs);
  }

  /** The q-th quantile (0 to 1) of the last 1,024 commits in milliseconds; 0 if there were none. */
  quantile(q: number): number {
    const size = Math.min(this.count, RING_SIZE);
    if (size === 0) return 0;
    const sorted = this.#ring.slice(0, size).sort();
    return sorted[Math.min(size - 1, Math.floor(q * size))] as number;
  }
}

const RING_SIZE = 1024;
