import { TIME_BUCKETS, type Series } from '../../exporters/report/report-data.js';

/**
 * Values over time in bounded memory: the smallest and the largest of each bucket of the range. A chart with
 * that many columns looks the same as with all values.
 */
export class BucketSeries {
  readonly min = new Float64Array(TIME_BUCKETS).fill(NaN);
  readonly max = new Float64Array(TIME_BUCKETS).fill(NaN);
  count = 0;
  notFinite = 0;

  add(bucket: number, value: number): void {
    if (!Number.isFinite(value)) {
      this.notFinite++;
      return;
    }
    this.count++;
    // Written so that NaN (no value yet) is replaced.
    if (!(this.min[bucket]! <= value)) this.min[bucket] = value;
    if (!(this.max[bucket]! >= value)) this.max[bucket] = value;
  }

  facts(label: string, robot: number): Series {
    const { min, max, count, notFinite } = this;
    return { label, robot, min, max, count, notFinite };
  }
}
