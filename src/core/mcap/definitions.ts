import type { Schema } from '../message.js';
import type { ChannelRecord, SchemaRecord } from './records.js';

/** Channel metadata that marks messages repeated from earlier segments. */
export const CARRIED_KEY = 'holdfast_carried';

/** A channel as an MCAP has it. Equal definitions are one object for the whole reading. */
export interface McapChannel {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schema: Schema;
  /** As in the file, the carried mark included. */
  readonly metadata: Readonly<Record<string, string>>;
  /** True for messages repeated from earlier segments, so that this one stands alone. */
  readonly carried: boolean;
  /** `none`: schema id 0; `dangling`: a schema that is not in the file. The schema is empty in both cases. */
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
  readonly #fallback: Definitions | undefined;

  /** @param fallback asked for what is not defined here (the summary, for a file whose data is damaged) */
  constructor(fallback?: Definitions) {
    this.#fallback = fallback;
  }

  addSchema(record: SchemaRecord): void {
    const known = this.#schemas.get(record.id);
    if (known !== undefined && known.name === record.name && sameBytes(known.data, record.data)) return;
    this.#schemas.set(record.id, { name: record.name, encoding: record.encoding, data: record.data });
  }

  addChannel(record: ChannelRecord): McapChannel {
    const fingerprint = JSON.stringify([
      record.schemaId,
      record.topic,
      record.messageEncoding,
      record.metadata,
    ]);
    const known = this.#channels.get(record.id);
    if (known !== undefined && this.#fingerprints.get(record.id) === fingerprint) return known;
    const schema = this.#schema(record.schemaId);
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

  /** Every channel, the fallback's included. */
  channels(): McapChannel[] {
    const all = new Map((this.#fallback?.channels() ?? []).map((channel) => [channel.id, channel]));
    for (const [id, channel] of this.#channels) all.set(id, channel);
    return [...all.values()];
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
