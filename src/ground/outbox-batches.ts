import type { Catalogue } from '../uplink/protocol/field-spec.js';
import type { OutboxBatch, OutboxSample } from '../uplink/protocol/outbox-codec.js';
import type { SampleBatch } from './history/sample-batch.js';

/** Splits the samples of an outbox where ticks are missing or the robot's clock jumped. */
export function batchesOf(
  { robot, vin }: Pick<SampleBatch, 'robot'> & { readonly vin: string },
  { run, samples }: OutboxBatch,
  { fields, tickNs }: Catalogue,
): readonly SampleBatch[] {
  const runs: OutboxSample[][] = [];
  for (const sample of samples) {
    const last = runs.at(-1)?.at(-1);
    const continues =
      last !== undefined && sample.tick === last.tick + 1 && sample.timeNs === last.timeNs + BigInt(tickNs);
    if (continues) runs.at(-1)?.push(sample);
    else runs.push([sample]);
  }
  return runs.map((list) => ({
    ...{ robot, vin, run, fields, tickNs, full: false, late: true, ticks: list.length },
    ...{ firstTick: list[0]!.tick, timeNs: list[0]!.timeNs, values: list.flatMap(({ values }) => values) },
  }));
}
