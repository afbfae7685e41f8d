import type { SyncStatus } from '../../core/status.js';
import type { Known } from './known.js';
import type { Metric, Sample } from './metric.js';

type Transforms = NonNullable<SyncStatus['transforms']>;

/** By sink; for a sync process with a single sink, the status itself. */
function bySink(read: (stats: Transforms) => readonly Sample[]): (known: Known) => readonly Sample[] {
  return ({ status: { sync } }) =>
    sync === null
      ? []
      : (sync.sinks ?? [{ name: 'store', transforms: sync.transforms }]).flatMap(
          ({ name: sink, transforms }) =>
            transforms === undefined
              ? []
              : read(transforms).map((sample) => ({ ...sample, labels: { sink, ...sample.labels } })),
        );
}

/** Metrics of `sync.transform`; absent for sinks that send segments as they are. */
export const transformMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_transformed_segments_total',
    help: 'Segments changed by sync.transform since sync started, by sink.',
    type: 'counter',
    samples: bySink(({ segments }) => [{ value: segments }]),
  },
  {
    name: 'holdfast_transformed_bytes_total',
    help: 'Payload bytes of these segments before (in) and after (out) sync.transform, by sink.',
    type: 'counter',
    samples: bySink(({ bytesIn, bytesOut }) => [
      { labels: { direction: 'in' }, value: bytesIn },
      { labels: { direction: 'out' }, value: bytesOut },
    ]),
  },
  {
    name: 'holdfast_transform_failures_total',
    help: 'Attempts to change a segment that failed since sync started, by sink.',
    type: 'counter',
    samples: bySink(({ failed }) => [{ value: failed }]),
  },
  {
    name: 'holdfast_transform_parked_segments',
    help: 'Segments that are parked because sync.transform could not be applied, by sink.',
    type: 'gauge',
    samples: bySink(({ parked }) => [{ value: parked }]),
  },
];
