import { decodeMessageBatch } from '../../core/message-batch.js';
import type { Delivery } from '../../core/delivery.js';
import type { CallOptions } from '../../core/store.js';
import { connectionOptions, type KafkaAccess } from '../../kafka/kafka-connection.js';
import { kafkaError } from '../../kafka/kafka-errors.js';
import type { KafkaLibrary } from '../../kafka/kafka-library.js';
import { describeKafka, type KafkaSinkOptions } from './kafka-options.js';

type Producer = InstanceType<KafkaLibrary['Producer']>;

/** All replicas in sync have the messages. */
const ACKS_OF_ALL = -1;

/**
 * A topic of Kafka. The messages of a batch have one key, so they are in one partition in their order. A batch counts as
 * delivered when all replicas in sync have it. After a failure the next call connects again.
 */
export class KafkaDelivery implements Delivery {
  readonly uri: string;
  readonly #options: KafkaSinkOptions;
  readonly #access: KafkaAccess;
  readonly #library: KafkaLibrary;
  #producer: Promise<Producer> | undefined;

  constructor(options: KafkaSinkOptions, access: KafkaAccess, library: KafkaLibrary) {
    this.#options = options;
    this.#access = access;
    this.#library = library;
    this.uri = describeKafka(options);
  }

  /** Asks a broker for the topic. */
  async probe(options: CallOptions = {}): Promise<void> {
    await this.#run(options, (producer) =>
      producer.metadata({ topics: [this.#options.topic], autocreateTopics: false, forceUpdate: true }),
    );
  }

  async deliver(batch: Uint8Array, options: CallOptions = {}): Promise<void> {
    const { topic, compression } = this.#options;
    const messages = decodeMessageBatch(batch).map(({ key, value, headers, timestampMs }) => ({
      topic,
      ...(key !== '' && { key: Buffer.from(key) }),
      value: Buffer.from(value),
      headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
      timestamp: BigInt(timestampMs),
    }));
    await this.#run(options, (producer) =>
      producer.send({ messages, acks: ACKS_OF_ALL, compression, autocreateTopics: false }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#producer);
  }

  async #run(options: CallOptions, work: (producer: Producer) => Promise<unknown>): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#producer ??= this.#open();
    const opening = this.#producer;
    try {
      await work(await opening);
    } catch (error) {
      // Metadata and connections of before the failure may be wrong.
      if (this.#producer === opening) this.#producer = undefined;
      await close(opening);
      if (signal?.aborted) throw signal.reason;
      throw kafkaError(error, this.uri);
    }
  }

  async #open(): Promise<Producer> {
    const connection = await connectionOptions(this.#options, this.#access);
    return new this.#library.Producer(connection);
  }
}

async function close(opening: Promise<Producer> | undefined): Promise<void> {
  await opening?.then((producer) => producer.close()).catch(() => undefined);
}
