import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import { dataFolder } from '../../core/data-folder.js';
import { makeDirectoryDurably } from '../../core/durable-files.js';
import { BATCH_MAX_BYTES, type Delivery } from '../../core/delivery.js';
import { keepingRoom } from '../../core/space-limits.js';
import type { SegmentDeriver } from '../../core/segment-deriver.js';
import type { Store } from '../../core/store.js';
import type { SystemPorts } from '../../host/ports.js';
import { storePorts } from '../../host/store-ports.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkOptions } from '../../settings/sink-spec.js';
import type { InfluxOptions } from '../../stores/influx/influx-options.js';
import type { KafkaSinkOptions } from '../../stores/kafka/kafka-options.js';

type Deriver = SegmentDeriver & { readonly form: string };

/** What a sink needs that delivers batches to a server. */
export interface DeliverySink {
  readonly deriver: Deriver;
  readonly store: Store;
}

/** Undefined: the sink stores objects. */
export async function openDelivery(
  sink: SinkOptions,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<DeliverySink | undefined> {
  if (sink.influx) return openInflux(sink.influx, sink, resolved, ports);
  if (sink.kafka) return openKafka(sink.kafka, sink, resolved, ports);
  return undefined;
}

async function openInflux(
  influx: InfluxOptions,
  { selection: { topics } }: SinkOptions,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<DeliverySink> {
  const { values } = resolved;
  const { InfluxDelivery } = await import('../../stores/influx/influx-delivery.js');
  const { PointsDeriver } = await import('../../jobs/delivery/points-deriver.js');
  const { defaultRules } = await import('../../uplink/robot/default-rules.js');
  const rules = [...values['ground.fields'], ...(values['ground.default_fields'] ? defaultRules : [])];
  const options = { rules, ...defined({ topics }) };
  const deriver = new PointsDeriver(keepingRoom(ports.fs), options, ports.logger);
  const delivery = new InfluxDelivery(influx, storePorts(ports));
  return { deriver, store: await openRecords(delivery, deriver, resolved, ports) };
}

async function openKafka(
  kafka: KafkaSinkOptions,
  { selection: { topics } }: SinkOptions,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<DeliverySink> {
  const { KafkaDelivery } = await import('../../stores/kafka/kafka-delivery.js');
  const { loadKafka } = await import('../../kafka/kafka-library.js');
  const { MessagesDeriver } = await import('../../jobs/delivery/messages-deriver.js');
  const { key, maxBytes } = kafka;
  const options = { key, maxBytes, ...defined({ topics }) };
  const deriver = new MessagesDeriver(keepingRoom(ports.fs), options, ports.logger);
  const delivery = new KafkaDelivery(kafka, storePorts(ports), await loadKafka());
  // The file of a batch has its own frame.
  const batchMaxBytes = Math.max(BATCH_MAX_BYTES, 2 * maxBytes);
  return { deriver, store: await openRecords(delivery, deriver, resolved, ports, batchMaxBytes) };
}

/**
 * The acknowledgements of a sink are in `sinks/` of the first data folder. It needs those of the segments that any
 * data folder still has, or has a receipt of.
 */
async function openRecords(
  delivery: Delivery,
  { form }: Deriver,
  { values }: Resolved,
  ports: SystemPorts,
  batchMaxBytes = BATCH_MAX_BYTES,
): Promise<Store> {
  const { DeliveryStore } = await import('../../stores/delivery/delivery-store.js');
  const { DirectoryStore } = await import('../../stores/directory/directory-store.js');
  const digest = createHash('sha256')
    .update(JSON.stringify([form, delivery.uri]))
    .digest('hex');
  const { sinks } = dataFolder(values.data);
  const root = join(sinks, `delivered-${digest.slice(0, 16)}`);
  const folders = [values.data, ...values.more_data].map((path) => dataFolder(path));
  const paths = (name: string): string[] =>
    folders.flatMap(({ sealed, receipts }) => [join(sealed, `${name}.json`), join(receipts, `${name}.json`)]);
  const isThere = (path: string): Promise<boolean> =>
    ports.fs.stat(path).then(
      () => true,
      // Only what is surely gone counts as gone.
      (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT',
    );
  return new DeliveryStore({
    ...{ delivery, batchMaxBytes },
    records: new DirectoryStore(root, storePorts(ports)),
    makeParent: () => makeDirectoryDurably(ports.fs, sinks),
    isNeeded: async (segment) => (await Promise.all(paths(segment).map(isThere))).some((found) => found),
  });
}
