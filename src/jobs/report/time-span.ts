import { TIME_BUCKETS } from '../../exporters/report/report-data.js';

/** The range of a report, and the position of a time in it. */
export class TimeSpan {
  readonly lengthNs: number;

  constructor(
    readonly startNs: bigint,
    readonly endNs: bigint,
  ) {
    // A single moment still needs a bucket of some width.
    this.lengthNs = Math.max(1, Number(endNs - startNs));
  }

  get lengthS(): number {
    return this.lengthNs / 1e9;
  }

  has(timeNs: bigint): boolean {
    return timeNs >= this.startNs && timeNs <= this.endNs;
  }

  overlaps(firstNs: bigint, lastNs: bigint): boolean {
    return firstNs <= this.endNs && lastNs >= this.startNs;
  }

  /** Seconds since the begin; may lie outside. */
  seconds(timeNs: bigint): number {
    return Number(timeNs - this.startNs) / 1e9;
  }

  bucket(timeNs: bigint): number {
    const share = Number(timeNs - this.startNs) / this.lengthNs;
    return Math.max(0, Math.min(TIME_BUCKETS - 1, Math.floor(share * TIME_BUCKETS)));
  }
}
