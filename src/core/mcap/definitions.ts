import { present } from '../present.js';
import type { Schema } from '../message.js';
import type { ChannelRecord, SchemaRecord } from './records.js';

/** Channel metadata key for messages repeated from earlier segments. */
export const CARRIED_KEY = 'holdfast_carried';

/** A channel of an MCAP. Equal definitions are one object for the whole reading. */
export interface McapChannel {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schema: Schema;
  /** As in the file, including the mark of carried channels. */
  readonly metadata: Readonly<Record<string, string>>;
  /** True for messages repeated from earlier segments, so that this one can be read alone. */
  readonly carried: boolean;
  /**
   * `none`: schema id 0; `dangling`: a schema that the file does not contain. The schema is empty in both
   * cases.
   */
  readonly schemaMissing?: 'none' | 'dangling';
}

const EMPTY_SCHEMA: Schema = { name: '', encoding: '', data: new Uint8Array(0) };

/** Finds a channel by its id. */
export interface ChannelLookup {
  channel(id: number): McapChannel | undefined;
}

/** The schemas and channels known so far. A later definition of an id replaces an earlier different one. */
export class Definitions implements ChannelLookup {
  readonly #schemas = new Map<number, Schema>();
  readonly #channels = new Map<number, McapChannel>();
  readonly #fingerprints = new Map<number, string>();
  readonly #schemaIds = new Map<number, number>();
  readonly #fallback: Definitions | undefined;

  /** @param fallback asked for definitions that are missing here (the summary, for a file with damaged data) */
  constructor(fallback?: Definitions) {
    this.#fallback = fallback;
  }

  addSchema(record: SchemaRecord): void {
    const known = this.#schemas.get(record.id);
    if (
      known !== undefined &&
      known.name === record.name &&
      known.encoding === record.encoding &&
      sameBytes(known.data, record.data)
    )
      return;
    this.#schemas.set(record.id, { name: record.name, encoding: record.encoding, data: record.data });
    if (known === undefined) this.#completeChannels(record.id);
  }

  /** Some writers define a channel before its schema. */
  #completeChannels(schemaId: number): void {
    const schema = present(this.#schemas.get(schemaId));
    for (const channel of this.#channels.values()) {
      if (channel.schemaMissing !== 'dangling' || this.#schemaIds.get(channel.id) !== schemaId) continue;
      const { schemaMissing: _missing, ...rest } = channel;
      this.#channels.set(channel.id, { ...rest, schema });
    }
  }

  addChannel(record: ChannelRecord): McapChannel {
    const fingerprint = JSON.stringify([
      record.schemaId,
      record.topic,
      record.messageEncoding,
      record.metadata,
    ]);
    const known = this.#channels.get(record.id);
    const schema = this.#schema(record.schemaId);
    const isSame =
      this.#fingerprints.get(record.id) === fingerprint && known?.schema === (schema ?? EMPTY_SCHEMA);
    if (known !== undefined && isSame) return known;
    const channel: McapChannel = {
      id: record.id,
      topic: record.topic,
      encoding: record.messageEncoding,
      schema: schema ?? EMPTY_SCHEMA,
      metadata: record.metadata,
      carried: record.metadata[CARRIED_KEY] === 'true',
      ...(schema === undefined ? { schemaMissing: record.schemaId === 0 ? 'none' : 'dangling' } : {}),
    };
    this.#channels.set(record.id, channel);
    this.#fingerprints.set(record.id, fingerprint);
    this.#schemaIds.set(record.id, record.schemaId);
    return channel;
  }

  #schema(id: number): Schema | undefined {
    if (id === 0) return undefined;
    const known = this.#schemas.get(id);
    return known ?? (this.#fallback === undefined ? undefined : this.#fallback.#schema(id));
  }

  channel(id: number): McapChannel | undefined {
    return this.#channels.get(id) ?? this.#fallback?.channel(id);
  }

  /** Every channel, including those of the fallback. */
  channels(): McapChannel[] {
    const all = new Map((this.#fallback?.channels() ?? []).map((channel) => [channel.id, channel]));
    for (const [id, channel] of this.#channels) all.set(id, channel);
    return [...all.values()];
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
