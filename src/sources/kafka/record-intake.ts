import { HoldfastError } from '../../core/errors.js';
import type { GapReason } from '../../core/gap.js';
import type { KafkaPartition } from '../../core/kafka-identity.js';
import type { Channel, Schema } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import type { GapCollector } from '../gap-collector.js';
import type { FetchedRecord } from './fetched-records.js';
import type { KafkaChannels } from './kafka-channels.js';
import type { KafkaSourceOptions } from './kafka-options.js';
import type { KafkaStats } from './kafka-stats.js';
import { Definitions, formOf, type OwnMessage } from './own-form.js';
import type { PartitionOffsets } from './partition-offsets.js';

/** One partition as the source reads it. */
export interface ReadPartition extends KafkaPartition {
  readonly offsets: PartitionOffsets;
}

export interface IntakeParts {
  readonly options: Pick<KafkaSourceOptions, 'encoding' | 'robotFrom' | 'maxMessageBytes'>;
  readonly context: SourceContext;
  readonly emit: (event: SourceEvent) => void;
  readonly channels: KafkaChannels;
  readonly gaps: GapCollector;
  readonly stats: KafkaStats;
}

const NS_PER_MS = 1_000_000n;
const ROBOT_MAX_CHARACTERS = 200;
const MAX_WARNINGS = 1_000;
const NO_SCHEMA: Schema = Object.freeze({ name: '', encoding: '', data: new Uint8Array() });

/** Turns records into messages of the recorder, or into gaps. */
export class RecordIntake {
  readonly #definitions = new Definitions();
  readonly #parts: IntakeParts;
  readonly #unknown = new Set<string>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** The next record of a partition. One that is settled already is only looked at for a definition. */
  take(partition: ReadPartition, record: FetchedRecord): void {
    const form = formOf(record);
    if (form.kind === 'definition') this.#definitions.add(form);
    const { offsets } = partition;
    if (record.offset < offsets.next) return;
    if (form.kind === 'definition') {
      offsets.passed(record.offset);
      return;
    }
    if (record.value.byteLength > this.#parts.options.maxMessageBytes) {
      this.#refuse(partition, record, 'message_too_large', `it has ${record.value.byteLength} bytes`);
    } else if (form.kind === 'fault') this.#refuse(partition, record, 'invalid_message', form.reason);
    else if (form.kind === 'message') this.#own(partition, record, form);
    else this.#foreign(partition, record);
  }

  #own(partition: ReadPartition, record: FetchedRecord, message: OwnMessage): void {
    const { robot, vin, topic, encoding, type, schemaId } = message;
    const known = this.#definitions.get(schemaId);
    if (known === undefined) this.#warn(topic, type, schemaId);
    const schema = known ?? { ...NO_SCHEMA, name: type };
    const facts = { robot, vin, topic, encoding, schema };
    const channel = this.#parts.channels.channelOf(partition, facts, known === undefined ? '' : schemaId);
    this.#emit(partition, record, channel, message.logTime, message.publishTime);
  }

  #foreign(partition: ReadPartition, record: FetchedRecord): void {
    const { options, context, channels } = this.#parts;
    const { topic } = partition;
    const { encoding } = options;
    const facts = { robot: this.#robotOf(topic, record), topic, encoding, schema: NO_SCHEMA };
    const now = context.clock.now();
    const published = record.timestampMs > 0n ? record.timestampMs * NS_PER_MS : now;
    this.#emit(partition, record, channels.channelOf(partition, facts, ''), now, published);
  }

  #robotOf(topic: string, { key }: FetchedRecord): string {
    const name = this.#parts.options.robotFrom === 'key' ? key.toString() : '';
    return name === '' || name.length > ROBOT_MAX_CHARACTERS ? this.#parts.context.robotOf(topic) : name;
  }

  #emit(
    { offsets }: ReadPartition,
    { offset, value }: FetchedRecord,
    channel: Channel | undefined,
    receivedAt: bigint,
    publishedAt: bigint,
  ): void {
    if (channel === undefined) {
      offsets.passed(offset);
      return;
    }
    const { context, stats, emit } = this.#parts;
    if (offsets.take(offset, context.clock.monotonic())) stats.redelivered++;
    const ack = (): void => {
      const takenAt = offsets.ack(offset);
      if (takenAt === undefined) return;
      stats.acknowledged(Number(context.clock.monotonic() - takenAt) / Number(NS_PER_MS));
    };
    // A view would keep the whole answer of the broker in memory.
    const data = Uint8Array.from(value);
    emit({ kind: 'message', channel, data, receivedAt, publishedAt, sourceSequence: offset, ack });
  }

  #refuse(partition: ReadPartition, record: FetchedRecord, reason: GapReason, detail: string): void {
    const { gaps, context } = this.#parts;
    const { topic, offsets } = partition;
    const where = `offset ${record.offset} of partition ${partition.partition}`;
    gaps.add(reason, context.robotOf(topic), topic, record.value.byteLength, `${where}: ${detail}`);
    offsets.passed(record.offset);
  }

  /** Once per definition. */
  #warn(topic: string, type: string, schemaId: string): void {
    if (this.#unknown.has(schemaId) || this.#unknown.size >= MAX_WARNINGS) return;
    this.#unknown.add(schemaId);
    const problem = `no definition ${schemaId} before its messages`;
    const error = new HoldfastError('SCHEMA_MISSING', `${topic} (${type}): ${problem}`);
    const facts = { topic, code: error.code, error: error.message };
    this.#parts.context.logger.warn('recorded without a schema', facts);
  }
}
