import { McapRecordBuilder, type McapTypes } from '@mcap/core';
import type { Channel, Priority } from '../core/message.js';
import { encodeChunk, type ChunkMessage, type EncodedChunk } from './object-chunk.js';

/**
 * An object file: a file `object-<number>.mcap` beside LevelDB that is already the start of the MCAP of one
 * robot (and priority class). It begins with magic and Header. Each commit appends at most one chunk. Sealing
 * adds the rest and the final name.
 *
 * Invariants
 * - The bytes follow from the records of the segment alone. Sealing plans the same file again from the heads
 *   of the batches and compares the CRC of each chunk with the CRC in the batch.
 * - Channel ids count from 0 and schema ids from 1, in the order in which the file first needs them.
 */

/** The entry of an object file in the log. */
export interface ObjectEntry {
  readonly robot: string;
  /** Absent: sealing does not split by priority, or the class is `normal`. */
  readonly priority?: Priority;
  /** Absent: the channels have no group. */
  readonly group?: string;
  /** The `library` field of the Header. */
  readonly library: string;
}

/** A record in the form that an object file takes. */
export interface PlacedRecord extends Omit<ChunkMessage, 'channelId'> {
  /** Channel id of the WAL. */
  readonly channelId: number;
  readonly channel: Channel;
}

/** A chunk for {@link offset} of its file. */
export interface PlacedChunk extends EncodedChunk {
  readonly file: ObjectFile;
  readonly offset: number;
}

/** The place of a chunk, as its batch states it. */
export interface ChunkReference {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** Maximum channels of the WAL in one file. An MCAP has 65,535 ids, which the sealed object shares. */
const MAX_CHANNELS = 1000;
export const OBJECT_PROFILE = 'ros2';
const FILE_NAME = /^object-(\d+)\.mcap$/;

export const objectFileName = (number: number): string => `object-${number}.mcap`;
/** The number in the name, as a list of one; an empty list for other names. */
export function objectFileNumber(name: string): number[] {
  const [, digits] = FILE_NAME.exec(name) ?? [];
  return digits === undefined ? [] : [Number(digits)];
}

/** Plans one object file. It does no I/O. */
export class ObjectFile {
  /** Everything planned so far. */
  bytes: number;
  readonly header: Uint8Array;
  /** Ids of the WAL's channels, in the order of their ids in the file. */
  readonly channels = new Map<number, number>();
  readonly schemaRecords: McapTypes.Schema[] = [];
  readonly channelRecords: McapTypes.Channel[] = [];
  readonly #schemas = new Map<string, number>();

  constructor(
    readonly number: number,
    readonly entry: ObjectEntry,
  ) {
    const header = new McapRecordBuilder();
    header.writeMagic();
    header.writeHeader({ profile: OBJECT_PROFILE, library: entry.library });
    this.header = Uint8Array.from(header.buffer);
    this.bytes = this.header.byteLength;
  }

  /** Returns false if the file has its maximum of channels. */
  hasRoomFor(channelId: number): boolean {
    return this.channels.has(channelId) || this.channels.size < MAX_CHANNELS;
  }

  /** Plans the next chunk. */
  place(records: readonly PlacedRecord[]): PlacedChunk {
    const definitions = new McapRecordBuilder();
    const messages = records.map(({ channelId, channel, ...message }) => ({
      ...message,
      channelId: this.channels.get(channelId) ?? this.#define(channelId, channel, definitions),
    }));
    const offset = this.bytes;
    const chunk = encodeChunk(definitions.buffer, offset, messages);
    this.bytes += chunk.bytes;
    return { ...chunk, file: this, offset };
  }

  #define(channelId: number, channel: Channel, definitions: McapRecordBuilder): number {
    const schemaId = this.#schemaId(channel, definitions);
    const record = {
      id: this.channels.size,
      schemaId,
      topic: channel.topic,
      messageEncoding: channel.encoding,
      metadata: new Map(Object.entries(channel.metadata)),
    };
    this.channels.set(channelId, record.id);
    this.channelRecords.push(record);
    definitions.writeChannel(record);
    return record.id;
  }

  #schemaId({ schema }: Channel, definitions: McapRecordBuilder): number {
    const key = schemaKey(schema);
    if (key === undefined) return 0;
    let id = this.#schemas.get(key);
    if (id === undefined) {
      id = this.#schemas.size + 1;
      this.#schemas.set(key, id);
      const { name, encoding, data } = schema;
      const record = { id, name, encoding, data };
      this.schemaRecords.push(record);
      definitions.writeSchema(record);
    }
    return id;
  }
}

/** Key that tells schemas apart; undefined for no schema, which is schema 0 in MCAP. */
export function schemaKey({ name, encoding, data }: Channel['schema']): string | undefined {
  // A schema with a name and no text still preserves its name.
  if (name === '' && data.byteLength === 0) return undefined;
  return `${name}\0${encoding}\0${Buffer.from(data).toString('latin1')}`;
}
