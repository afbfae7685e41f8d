import { createHash } from 'node:crypto';
import type { FileSystem } from '../../core/file-system.js';
import { kafkaHeaders as names, MESSAGE_KIND, SCHEMA_KIND, schemaIdOf } from '../../kafka/message-form.js';
import type { Logger } from '../../core/logger.js';
import type { Manifest } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { encodeMessageBatch, type BrokerMessage } from '../../core/message-batch.js';
import type { Derived } from '../../core/segment-deriver.js';
import { BatchFiles } from './batch-files.js';
import { DeliveryDeriver, sealedName } from './delivery-deriver.js';
import { segmentMessages } from './segment-messages.js';

export interface MessagesDeriverOptions {
  /** Of the sink; `*` stands for any text. Absent: all. */
  readonly topics?: readonly string[];
  /** What becomes the key. A robot without a VIN is its own key. */
  readonly key: 'robot' | 'vin';
  /** Of one message, and of one batch. */
  readonly maxBytes: number;
}

const NS_PER_MS = 1_000_000n;
/** A batch of tiny messages ends here. */
const BATCH_MESSAGES = 10_000;
/** Frame of a record and its number of the batch, beside key, value and headers. */
const RECORD_BYTES = 128;
const HEADER_BYTES = 8;

/** What is made of one segment: it grows while the segment is read. */
interface Work {
  readonly manifest: Manifest;
  readonly batches: BatchFiles;
  readonly channels: Map<McapChannel, ChannelFacts>;
  /** Ids of the schemas that the present batch has. */
  readonly schemas: Set<string>;
  messages: BrokerMessage[];
  bytes: number;
  number: number;
  tooLarge: number;
}

interface ChannelFacts {
  readonly headers: Readonly<Record<string, string>>;
  readonly schemaId: string;
}

/**
 * Makes messages for a broker of one sealed segment, in the form of docs/kafka.md: every recorded message with its
 * payload unchanged, and in each batch the definition of a type before its first message.
 */
export class MessagesDeriver extends DeliveryDeriver {
  readonly form: string;
  readonly #fs: FileSystem;
  readonly #options: MessagesDeriverOptions;
  readonly #logger: Logger;

  constructor(fs: FileSystem, options: MessagesDeriverOptions, logger: Logger) {
    super();
    this.#fs = fs;
    this.#options = options;
    this.#logger = logger;
    const words = JSON.stringify([1, options.key, options.topics ?? null]);
    this.form = `messages-${createHash('sha256').update(words).digest('hex').slice(0, 12)}`;
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    const work: Work = {
      ...{ manifest, batches: new BatchFiles(this.#fs, scratch, sealedName(manifest)) },
      ...{ channels: new Map(), schemas: new Set(), messages: [], bytes: 0, number: 0, tooLarge: 0 },
    };
    const { topics } = this.#options;
    for await (const messages of segmentMessages(this.#fs, path, manifest, topics, signal)) {
      for (const message of messages) await this.#add(work, message);
    }
    await flush(work);
    if (work.tooLarge > 0) {
      const { robot, file } = manifest;
      const facts = { robot, segment: file.name, messages: work.tooLarge, maxBytes: this.#options.maxBytes };
      this.#logger.warn('messages larger than max_bytes were not sent to Kafka', facts);
    }
    return { files: work.batches.files, marker: this.marker(manifest), undecoded: work.tooLarge };
  }

  async #add(work: Work, { channel, data, logTime, publishTime }: McapMessage): Promise<void> {
    let facts = work.channels.get(channel);
    if (!facts) work.channels.set(channel, (facts = factsOf(channel, work.manifest)));
    const number = String(work.number++);
    const messageHeaders = {
      ...{ [names.kind]: MESSAGE_KIND, ...facts.headers, [names.number]: number },
      ...{ [names.logTime]: String(logTime), [names.publishTime]: String(publishTime) },
    };
    const { schema } = channel;
    const schemaHeaders = {
      ...{ [names.kind]: SCHEMA_KIND, [names.schemaId]: facts.schemaId, [names.type]: schema.name },
      ...{ [names.schemaEncoding]: schema.encoding, [names.segment]: sealedName(work.manifest) },
    };
    const message = this.#message(work.manifest, logTime, data, messageHeaders);
    const definition = this.#message(work.manifest, logTime, schema.data, schemaHeaders);
    const [own, both] = [sizeOf(message), sizeOf(message) + sizeOf(definition)];
    const { maxBytes } = this.#options;
    // The definition has to fit beside it.
    if (both > maxBytes) {
      work.tooLarge++;
      return;
    }
    const needed = work.schemas.has(facts.schemaId) ? own : both;
    if (work.bytes + needed > maxBytes || work.messages.length >= BATCH_MESSAGES) await flush(work);
    if (!work.schemas.has(facts.schemaId)) {
      work.schemas.add(facts.schemaId);
      push(work, definition);
    }
    push(work, message);
  }

  #message(
    { robot, vin }: Manifest,
    logTime: bigint,
    value: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): BrokerMessage {
    const key = this.#options.key === 'vin' ? (vin ?? robot) : robot;
    return { key, value, headers, timestampMs: Number(logTime / NS_PER_MS) };
  }
}

function factsOf({ topic, encoding, schema }: McapChannel, manifest: Manifest): ChannelFacts {
  const { robot, vin } = manifest;
  const schemaId = schemaIdOf(schema);
  const headers = {
    ...{ [names.robot]: robot, ...(vin !== undefined && { [names.vin]: vin }), [names.topic]: topic },
    ...{ [names.type]: schema.name, [names.encoding]: encoding, [names.schemaId]: schemaId },
    [names.segment]: sealedName(manifest),
  };
  return { headers, schemaId };
}

function sizeOf({ key, value, headers }: BrokerMessage): number {
  const pairs = Object.entries(headers);
  const text = pairs.reduce(
    (sum, [name, one]) => sum + name.length + Buffer.byteLength(one) + HEADER_BYTES,
    0,
  );
  return RECORD_BYTES + Buffer.byteLength(key) + value.byteLength + text;
}

function push(work: Work, message: BrokerMessage): void {
  const headers = { ...message.headers, [names.batch]: String(work.batches.files.length + 1) };
  // A view would keep its whole block in memory.
  work.messages.push({ ...message, headers, value: Uint8Array.from(message.value) });
  work.bytes += sizeOf(message);
}

async function flush(work: Work): Promise<void> {
  if (work.messages.length === 0) return;
  await work.batches.add(encodeMessageBatch(work.messages));
  work.schemas.clear();
  work.messages = [];
  work.bytes = 0;
}
