/** Counts of durations by size, in the form that Prometheus expects; plain JSON. */
export interface DurationHistogramJson {
  /** Upper bounds of the buckets in milliseconds, ascending; longer durations count in `count` only. */
  readonly boundsMs: readonly number[];
  /** Number of durations up to the bound at the same index; each count includes the ones before it. */
  readonly atMost: readonly number[];
  /** Number of all durations. */
  readonly count: number;
  /** Sum of all durations, milliseconds. */
  readonly sumMs: number;
}

/** Counts durations in fixed buckets; memory and cost per duration are fixed. */
export class DurationHistogram {
  readonly #counts: number[];
  #count = 0;
  #sumMs = 0;

  readonly #boundsMs: readonly number[];

  /** @param boundsMs - Upper bounds of the buckets in milliseconds, ascending. */
  constructor(boundsMs: readonly number[]) {
    this.#boundsMs = boundsMs;
    this.#counts = boundsMs.map(() => 0);
  }

  add(durationMs: number): void {
    this.#count++;
    this.#sumMs += durationMs;
    const place = this.#boundsMs.findIndex((bound) => durationMs <= bound);
    if (place >= 0) this.#counts[place]!++;
  }

  toJson(): DurationHistogramJson {
    let sum = 0;
    return {
      boundsMs: this.#boundsMs,
      atMost: this.#counts.map((count) => (sum += count)),
      count: this.#count,
      sumMs: this.#sumMs,
    };
  }
}

/** An fsync takes a fraction of a millisecond on a good disk and seconds on a dying one. */
export const commitBoundsMs: readonly number[] = [
  0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000,
];

/** A segment takes half a second on a LAN and an hour over a poor link. */
export const uploadBoundsMs: readonly number[] = [
  500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
];
