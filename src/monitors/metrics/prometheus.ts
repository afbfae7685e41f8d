import { Registry, type Metric as ClientMetric } from 'prom-client';
import type { Known } from './known.js';
import type { Metric } from './metric.js';
import { processMetrics } from './process-metrics.js';
import { recorderMetrics } from './recorder-metrics.js';
import { sourceMetrics } from './source-metrics.js';
import { sendPolicyMetrics } from './send-policy-metrics.js';
import { transformMetrics } from './transform-metrics.js';
import { syncMetrics } from './sync-metrics.js';

/** Every metric; docs/metrics.md lists them, config/monitoring uses them. */
export const allMetrics: readonly Metric<Known>[] = [
  ...recorderMetrics,
  ...sourceMetrics,
  ...syncMetrics,
  ...sendPolicyMetrics,
  ...transformMetrics,
  ...processMetrics,
];

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The metrics in Prometheus' text format. Nothing is counted here: each scrape reads the counters of the
 * recorder and sync.
 */
export async function renderMetrics(known: Known): Promise<Exposition> {
  const registry = new Registry();
  for (const metric of allMetrics) {
    const values = metric.samples(known).map(({ value, labels = {}, suffix }) => ({
      value,
      labels,
      ...(suffix === undefined ? {} : { metricName: metric.name + suffix }),
    }));
    // The library's own classes count themselves; its registry accepts any metric that can be read.
    const { name, help, type } = metric;
    registry.registerMetric({ name, get: () => ({ name, help, type, values }) } as unknown as ClientMetric);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}
