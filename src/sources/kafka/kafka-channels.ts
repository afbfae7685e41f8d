import { kafkaMetadata, kafkaNumbering, type KafkaPartition } from '../../core/kafka-identity.js';
import type { Channel, Schema } from '../../core/message.js';
import { present } from '../../core/present.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { VIN_KEY } from '../../core/vin.js';

/** Maximum number of known channels; the oldest is forgotten first, and announced again when it returns. */
const MAX_CHANNELS = 20_000;

/** What distinguishes the channels of one partition. */
export interface ChannelFacts {
  readonly robot: string;
  readonly topic: string;
  readonly encoding: string;
  readonly schema: Schema;
  readonly vin?: string | undefined;
}

/** The channels of a source: one for each partition, robot, topic and definition. */
export class KafkaChannels {
  readonly #channels = new Map<string, Channel>();
  readonly #verdicts = new Map<Channel, boolean>();
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;

  constructor(context: SourceContext, emit: (event: SourceEvent) => void) {
    this.#context = context;
    this.#emit = emit;
  }

  /**
   * The channel of a message; undefined if it is not wanted.
   *
   * @param definition identifies the schema within the source
   */
  channelOf(partition: KafkaPartition, facts: ChannelFacts, definition: string): Channel | undefined {
    const { robot, topic, encoding, schema, vin } = facts;
    const numberedIn = kafkaNumbering(partition);
    const key = JSON.stringify([numberedIn, robot, topic, encoding, schema.name, definition, vin]);
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      const metadata = { ...kafkaMetadata(partition), ...(vin !== undefined && { [VIN_KEY]: vin }) };
      channel = Object.freeze({
        ...{ robot, topic, encoding, schema, numberedIn, latched: false },
        metadata: Object.freeze(metadata),
      });
      this.#emit({ kind: 'channel', channel });
      this.#channels.set(key, channel);
      if (this.#channels.size > MAX_CHANNELS) this.#forget(present(this.#channels.keys().next().value));
    }
    return this.#isWanted(channel) ? channel : undefined;
  }

  wantedChanged(): void {
    this.#verdicts.clear();
  }

  #isWanted(channel: Channel): boolean {
    let wanted = this.#verdicts.get(channel);
    if (wanted === undefined) {
      wanted = this.#context.wanted(channel.topic, channel.schema.name);
      this.#verdicts.set(channel, wanted);
    }
    return wanted;
  }

  #forget(key: string): void {
    const channel = present(this.#channels.get(key));
    this.#channels.delete(key);
    this.#verdicts.delete(channel);
    this.#emit({ kind: 'channel-gone', channel });
  }
}
