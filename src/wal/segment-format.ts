import { Packr } from 'msgpackr';
import { HoldfastError } from '../core/errors.js';
import type { Gap } from '../core/gap.js';
import type { Identity } from '../core/identity.js';
import type { Channel, Priority, Schema } from '../core/message.js';
import type { OtherRecord, RobotRecord } from '../core/other-record.js';
import { segmentNumber, type SegmentId } from '../core/segment-id.js';
import type { Tags } from '../core/tags.js';
import type { Vins } from '../core/vin.js';
import { clampTime } from '../core/time-range.js';
import type { BatchLink } from './batch-codec.js';

/*
 * The entries of one WAL segment, as keys of its LevelDB. They are read in the order in which they were written.
 * docs/wal-format.md describes the whole format.
 *
 *   w                       first in every write: the segment's stamp
 *   m                       SegmentMeta, in the first write
 *   d + schema id (u32 BE)  a schema, in the write of the first channel that refers to it
 *   c + channel id (u32 BE) a channel, in the write of the first batch that refers to it
 *   t                       a batch of carried messages, in the first write
 *   b + sequence (u64 BE)   a batch, by its first record's sequence
 *   g + gap id              a gap, in the write of the batch that found it
 *   f + number (u32 BE)     ObjectEntry, in the write of the first batch that refers to the object file
 *   o + record id           a metadata record or an attachment of an input; earlier versions do not know it
 *   k + time (u64 BE)       a clock step
 *   s                       nothing: a synced write after unsynced ones
 *   e                       SegmentEnd: the recorder ended this segment itself
 *
 * In an encrypted segment every write has three entries: its stamp, the wrapped key (segment-cipher.ts), and all other
 * entries, encrypted (encrypted-write.ts).
 *
 *   y                       the wrapped key of the segment
 *   x + write (u64 BE)      the entries of this write, encrypted; writes count from 1
 *
 * The value of a batch is a 0 and its bytes, or a 1 and a reference into the file `blob`. Payloads of a batch may be in
 * the object files beside it (object-file.ts); then the batch has their places.
 */

export const SEGMENT_FORMAT_VERSION = 1;
/** Version of encrypted segments. */
export const ENCRYPTED_FORMAT_VERSION = 2;
export const BLOB_FILE = 'blob';

export interface SegmentMeta {
  readonly version: number;
  readonly id: SegmentId;
  readonly number: number;
  readonly firstSequence: number;
  readonly identity: Identity;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly startedAt: string;
  readonly softwareVersion: string;
  /** What an acknowledgement means in this segment: see `Durability`. */
  readonly durability: 'commit' | 'interval' | 'os';
  /** Tags that hold in it; absent: none, or written by an earlier version. */
  readonly tags?: Tags;
  /** VINs that the parameters gave, by robot; absent: none, or written by an earlier version. */
  readonly vins?: Vins;
}

export interface SegmentChannel extends Channel {
  readonly priority: Priority;
  /** Topics with objects of their own; absent: none, or written by an earlier version. */
  readonly group?: string;
}

/** A channel as stored. Thousands of channels share a few schemas, so the schema text is stored separately. */
export type ChannelEntry = Omit<SegmentChannel, 'schema'> & {
  readonly schemaId: number;
  readonly schema: Omit<Schema, 'data'>;
};

export interface SegmentEnd {
  /** Sequence of the last record, or of the record before the first if the segment is empty. */
  readonly lastSequence: number;
  readonly records: number;
  readonly link: BatchLink;
}

export interface ClockStep {
  /** Decimal nanoseconds since the Unix epoch, after the step. */
  readonly at: string;
  readonly stepNs: string;
}

export interface BlobReference {
  readonly offset: number;
  readonly bytes: number;
  /** The batch's own CRC, so that other bytes at that place are detected. */
  readonly crc: number;
}

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

export const pack = (value: unknown): Buffer => packr.pack(value);

/** A gap as stored in the WAL, with its times within the range of the formats. */
export function packGap(gap: Gap): Buffer {
  const { firstTime, lastTime } = gap;
  return pack({
    ...gap,
    ...(firstTime === undefined ? {} : { firstTime: clampTime(firstTime) }),
    ...(lastTime === undefined ? {} : { lastTime: clampTime(lastTime) }),
  });
}

/** msgpack returns small times as numbers. */
type UnpackedGap = Omit<Gap, 'firstTime' | 'lastTime'> & {
  readonly firstTime?: bigint | number;
  readonly lastTime?: bigint | number;
};

/** A gap of the WAL. Throws `WAL_CORRUPT`. */
export function unpackGap(value: Buffer): Gap {
  const { firstTime, lastTime, ...gap } = unpack(value, 'gap') as UnpackedGap;
  return {
    ...gap,
    ...(firstTime === undefined ? {} : { firstTime: BigInt(firstTime) }),
    ...(lastTime === undefined ? {} : { lastTime: BigInt(lastTime) }),
  };
}

/** Unpacks a value of the WAL. Throws `WAL_CORRUPT` with the name of the entry. */
export function unpack(value: Buffer, entry: string): unknown {
  try {
    return packr.unpack(value);
  } catch (cause) {
    throw new HoldfastError('WAL_CORRUPT', `WAL entry ${entry} does not parse`, { cause });
  }
}

const LETTER = {
  stamp: 'w',
  meta: 'm',
  schema: 'd',
  carried: 't',
  channel: 'c',
  object: 'f',
  batch: 'b',
  gap: 'g',
  other: 'o',
  clock: 'k',
  sync: 's',
  end: 'e',
  key: 'y',
  encrypted: 'x',
} as const;
export type EntryKind = keyof typeof LETTER;
const KIND = Object.fromEntries(Object.entries(LETTER).map(([kind, letter]) => [letter, kind])) as Record<
  string,
  EntryKind
>;

/**
 * The 16 random bytes of a segment's id. Every write carries them, so that bytes of another segment never
 * count as its own (a recording of a recording, or a disk block that was reused after a power cut).
 */
export function segmentStamp(id: SegmentId): Buffer {
  segmentNumber(id);
  return Buffer.from(id.slice(-32), 'hex');
}

export function plainKey(kind: 'stamp' | 'meta' | 'carried' | 'sync' | 'end' | 'key'): Buffer {
  return Buffer.from(LETTER[kind], 'latin1');
}

export function definitionKey(kind: 'schema' | 'channel' | 'object', id: number): Buffer {
  const key = Buffer.alloc(5, LETTER[kind], 'latin1');
  key.writeUInt32BE(id, 1);
  return key;
}

export function batchKey(firstSequence: number): Buffer {
  return numberedKey('batch', BigInt(firstSequence));
}

export function clockKey(at: bigint): Buffer {
  return numberedKey('clock', clampTime(at));
}

/** Key of the encrypted entries of a write, numbered from 1. */
export function encryptedKey(write: bigint): Buffer {
  return numberedKey('encrypted', write);
}

function numberedKey(kind: 'batch' | 'clock' | 'encrypted', number: bigint): Buffer {
  const key = Buffer.alloc(9, LETTER[kind], 'latin1');
  key.writeBigUInt64BE(number, 1);
  return key;
}

export function gapKey(gap: Gap): Buffer {
  return Buffer.from(LETTER.gap + gap.id, 'utf8');
}

export function otherKey(id: string): Buffer {
  return Buffer.from(LETTER.other + id, 'utf8');
}

/** A record as stored in the WAL: times are decimal digits, which hold all 64 bits. */
type PackedOther =
  | (Omit<RobotRecord, 'record'> & { readonly record: Extract<OtherRecord, { kind: 'metadata' }> })
  | (Omit<RobotRecord, 'record'> & {
      readonly record: Omit<Extract<OtherRecord, { kind: 'attachment' }>, 'logTime' | 'createTime'> & {
        readonly logTime: string;
        readonly createTime: string;
      };
    });

export function packOther({ robot, record }: RobotRecord): Buffer {
  if (record.kind === 'metadata') return pack({ robot, record });
  const { logTime, createTime, data, ...rest } = record;
  const times = { logTime: String(logTime), createTime: String(createTime) };
  return pack({
    robot,
    record: { ...rest, ...times, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) },
  });
}

/** Throws `WAL_CORRUPT`. */
export function unpackOther(value: Buffer): RobotRecord {
  const { robot, record } = unpack(value, 'other record') as PackedOther;
  if (record.kind === 'metadata') return { robot, record };
  const { logTime, createTime, ...rest } = record;
  return { robot, record: { ...rest, logTime: BigInt(logTime), createTime: BigInt(createTime) } };
}

/** The kind of entry of a key; undefined for an unknown key. */
export function entryKind(key: Buffer): EntryKind | undefined {
  return KIND[String.fromCharCode(key[0] ?? 0)];
}

const INLINE = 0;
const IN_BLOB = 1;

export function inlineValue(head: Buffer, payloads: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(INLINE), head, ...payloads]);
}

export function blobValue(reference: BlobReference): Buffer {
  const value = Buffer.alloc(21);
  value.writeUInt8(IN_BLOB, 0);
  value.writeBigUInt64BE(BigInt(reference.offset), 1);
  value.writeBigUInt64BE(BigInt(reference.bytes), 9);
  value.writeUInt32BE(reference.crc, 17);
  return value;
}

/** The bytes of an inline batch, or the reference of one in the blob file. Throws `WAL_CORRUPT`. */
export function parseBatchValue(value: Buffer): { inline: Buffer } | { reference: BlobReference } {
  if (value[0] === INLINE) return { inline: value.subarray(1) };
  if (value[0] === IN_BLOB && value.length === 21) {
    return {
      reference: {
        offset: Number(value.readBigUInt64BE(1)),
        bytes: Number(value.readBigUInt64BE(9)),
        crc: value.readUInt32BE(17),
      },
    };
  }
  throw new HoldfastError(
    'WAL_CORRUPT',
    `batch value of form ${value[0]} and ${value.length} bytes is unknown`,
  );
}
