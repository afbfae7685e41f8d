import type { DurationHistogramJson } from '../../core/duration-histogram.js';
import type { Sample } from './metric.js';

/** A histogram that was counted elsewhere, in seconds as Prometheus expects. */
export function histogramSamples(counted: DurationHistogramJson | undefined): readonly Sample[] {
  if (counted === undefined) return [];
  const { boundsMs, atMost, count, sumMs } = counted;
  const bucket = (le: string, value: number): Sample => ({ suffix: '_bucket', labels: { le }, value });
  return [
    ...boundsMs.map((bound, index) => bucket(String(bound / 1_000), atMost[index] ?? 0)),
    bucket('+Inf', count),
    { suffix: '_sum', value: sumMs / 1_000 },
    { suffix: '_count', value: count },
  ];
}
