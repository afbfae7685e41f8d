import { crc32 } from '@node-rs/crc32';
import { Packr } from 'msgpackr';
import { HoldfastError } from '../core/errors.js';
import type { ChunkReference, PlacedChunk } from './object-file.js';

/*
 * One batch, as it lies in LevelDB or in the blob file. Little endian.
 *
 *   0  magic 'HFB1'            4
 *   4  version (1 or 2)        1   2: payloads of some records lie in object files
 *   5  flags: 1 = carried      1
 *   6  1 = ahead               1   the batch before was not durable yet when this one was written
 *   7  zero                    1
 *   8  first sequence          8   of its records; they are numbered without holes
 *  16  previous first sequence 8   of the batch before in this segment (0: none)
 *  24  payload bytes           8   of those that follow the header
 *  32  record count            4
 *  36  header bytes            4
 *  40  previous CRC            4   the chain: the `own CRC` of the batch before (0: none)
 *  44  own CRC                 4   CRC-32 of bytes 0-43 and of the header
 *  48  header                      msgpack list of columns, see below
 *   …  payloads                    one after the other, no padding
 *
 * The header's columns: channel ids (u32), receivedAt (u64 ns), publishedAt (u64 ns), payload lengths
 * (u32), payload CRC-32 (u32), source sequences (f64, -1: none; or nil for all none), publishers (list of
 * strings or nil; or nil). Numbers are packed little endian as binary, so that 20,000 records decode
 * without 20,000 msgpack calls. Every payload's CRC is inside the CRC-protected header.
 *
 * Version 2 has three more columns: the object file of each payload (u16; 0: none, the payload follows the header), its
 * offset there (u64), and the list of the chunks that the commit appended, each `[file, offset, bytes, CRC-32]`.
 */

export const BATCH_MAGIC = Buffer.from('HFB1', 'latin1');
export const BATCH_VERSION = 1;
/** Of a batch with {@link BatchPlaces}. */
const PLACED_VERSION = 2;
export const BATCH_PREFIX_BYTES = 48;
const FLAG_CARRIED = 1;
/** Maximum size of a header: 20,000 records take 0.6 MB. A wrong length must not allocate more. */
const HEADER_MAX_BYTES = 256 * 1024 * 1024;

/** The chain: the facts that the next batch must refer to. */
export interface BatchLink {
  readonly firstSequence: number;
  readonly crc: number;
}

/** Where the chain of a segment starts. */
export const chainStart: BatchLink = { firstSequence: 0, crc: 0 };

/** Column view of a batch's records; index i is record `firstSequence + i`. */
export interface BatchColumns {
  readonly channelIds: Uint32Array;
  readonly receivedAt: BigUint64Array;
  readonly publishedAt: BigUint64Array;
  readonly lengths: Uint32Array;
  readonly crcs: Uint32Array;
  readonly sourceSequences: Float64Array | null;
  readonly publishers: readonly (string | null)[] | null;
  /** Default: all payloads are in the batch. */
  readonly places?: BatchPlaces;
}

/** Where the payloads of a batch lie that are not in it. */
export interface BatchPlaces {
  /** Number of the object file of each record; 0: the payload is in the batch. */
  readonly files: Uint16Array;
  /** Offset of the payload in that file. */
  readonly offsets: BigUint64Array;
  readonly chunks: readonly ChunkReference[];
}

export interface BatchPrefix {
  /** Version 2: payloads of some records lie in object files. Absent: version 1. */
  readonly hasPlaces?: true;
  readonly carried: boolean;
  /** The previous batch was not durable yet when this one was written. */
  readonly ahead: boolean;
  readonly firstSequence: number;
  readonly previous: BatchLink;
  readonly payloadBytes: number;
  readonly count: number;
  readonly headerBytes: number;
  readonly crc: number;
}

/** A chunk and the payloads that lie in it. */
export interface PlacedChunkWithPayloads {
  readonly chunk: PlacedChunk;
  readonly payloads: readonly Uint8Array[];
}

/** A batch ready to be written: the prefix and header, then the payloads, in pieces that need no copy. */
export interface EncodedBatch {
  readonly head: Buffer;
  readonly payloads: readonly Uint8Array[];
  readonly bytes: number;
  readonly count: number;
  readonly payloadBytes: number;
  readonly link: BatchLink;
  /** Chunks that the commit appends to object files. Default: none. */
  readonly chunks?: readonly PlacedChunkWithPayloads[];
  /** Number of messages whose times were clamped to the range of the formats. Default: none. */
  readonly clampedTimes?: number;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

const bytesOf = (view: ArrayBufferView): Buffer => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

/** Fields of a batch beside its records. */
export interface BatchKind {
  readonly carried?: boolean;
  readonly ahead?: boolean;
  /** Later times are clamped to it. Default: the latest time that every format can hold. */
  readonly latestTime?: bigint;
}

/** Encodes columns whose `crcs` and `lengths` describe `payloads` (concatenated in order) and what is placed elsewhere. */
export function encodeBatch(
  columns: BatchColumns,
  payloads: readonly Uint8Array[],
  payloadBytes: number,
  firstSequence: number,
  previous: BatchLink,
  { carried = false, ahead = false }: BatchKind = {},
): EncodedBatch {
  const { places } = columns;
  const header = packr.pack([
    bytesOf(columns.channelIds),
    bytesOf(columns.receivedAt),
    bytesOf(columns.publishedAt),
    bytesOf(columns.lengths),
    bytesOf(columns.crcs),
    columns.sourceSequences && bytesOf(columns.sourceSequences),
    columns.publishers,
    ...(places ? [bytesOf(places.files), bytesOf(places.offsets), places.chunks.map(chunkRow)] : []),
  ]);
  const head = Buffer.allocUnsafe(BATCH_PREFIX_BYTES + header.length);
  BATCH_MAGIC.copy(head, 0);
  head.writeUInt8(places ? PLACED_VERSION : BATCH_VERSION, 4);
  head.writeUInt8(carried ? FLAG_CARRIED : 0, 5);
  head.writeUInt8(ahead ? 1 : 0, 6);
  head.writeUInt8(0, 7);
  head.writeBigUInt64LE(BigInt(firstSequence), 8);
  head.writeBigUInt64LE(BigInt(previous.firstSequence), 16);
  head.writeBigUInt64LE(BigInt(payloadBytes), 24);
  head.writeUInt32LE(columns.channelIds.length, 32);
  head.writeUInt32LE(header.length, 36);
  head.writeUInt32LE(previous.crc, 40);
  header.copy(head, BATCH_PREFIX_BYTES);
  const crc = crc32(header, crc32(head.subarray(0, 44)));
  head.writeUInt32LE(crc, 44);
  return {
    head,
    payloads,
    bytes: head.length + payloadBytes,
    count: columns.channelIds.length,
    payloadBytes,
    link: { firstSequence, crc },
  };
}

const chunkRow = ({ file, offset, bytes, crc }: ChunkReference): number[] => [file, offset, bytes, crc];

function corrupt(what: string, facts: Record<string, unknown> = {}): HoldfastError {
  return new HoldfastError('WAL_CORRUPT', what, { facts });
}

/** Reads the fixed part. Throws `WAL_CORRUPT`; its CRC is checked together with the header. */
export function decodePrefix(bytes: Buffer): BatchPrefix {
  if (bytes.length < BATCH_PREFIX_BYTES) throw corrupt(`batch of ${bytes.length} bytes has no whole prefix`);
  if (!bytes.subarray(0, 4).equals(BATCH_MAGIC)) throw corrupt('batch does not begin with its magic');
  const version = bytes.readUInt8(4);
  if (version !== BATCH_VERSION && version !== PLACED_VERSION)
    throw corrupt(`batch version ${version} is unknown, known: ${BATCH_VERSION} and ${PLACED_VERSION}`);
  const prefix: BatchPrefix = {
    ...(version === PLACED_VERSION ? { hasPlaces: true } : {}),
    carried: (bytes.readUInt8(5) & FLAG_CARRIED) !== 0,
    ahead: bytes.readUInt8(6) !== 0,
    firstSequence: Number(bytes.readBigUInt64LE(8)),
    previous: { firstSequence: Number(bytes.readBigUInt64LE(16)), crc: bytes.readUInt32LE(40) },
    payloadBytes: Number(bytes.readBigUInt64LE(24)),
    count: bytes.readUInt32LE(32),
    headerBytes: bytes.readUInt32LE(36),
    crc: bytes.readUInt32LE(44),
  };
  if (prefix.headerBytes > HEADER_MAX_BYTES)
    throw corrupt(`batch header of ${prefix.headerBytes} bytes is too long`);
  return prefix;
}

/** Decodes the columns of a whole head (prefix + header). Throws `WAL_CORRUPT` on any mismatch. */
export function decodeColumns(head: Buffer, prefix: BatchPrefix): BatchColumns {
  const header = head.subarray(BATCH_PREFIX_BYTES, BATCH_PREFIX_BYTES + prefix.headerBytes);
  if (header.length !== prefix.headerBytes) throw corrupt('batch header is cut short');
  const crc = crc32(header, crc32(head.subarray(0, 44)));
  if (crc !== prefix.crc) throw corrupt('batch header fails its CRC', { expected: prefix.crc, actual: crc });
  const fields = packr.unpack(header) as (Uint8Array | null)[];
  const column = (index: number, width: number): Uint8Array => {
    const bytes = fields[index];
    if (!bytes || bytes.byteLength !== width * prefix.count)
      throw corrupt(`batch column ${index} has the wrong size`);
    return bytes;
  };
  // Copied, because a typed array needs its own alignment.
  const aligned = (index: number, width: number): ArrayBuffer => new Uint8Array(column(index, width)).buffer;
  const columns: BatchColumns = {
    channelIds: new Uint32Array(aligned(0, 4)),
    receivedAt: new BigUint64Array(aligned(1, 8)),
    publishedAt: new BigUint64Array(aligned(2, 8)),
    lengths: new Uint32Array(aligned(3, 4)),
    crcs: new Uint32Array(aligned(4, 4)),
    sourceSequences: !fields[5] ? null : new Float64Array(aligned(5, 8)),
    publishers: fields[6] as unknown as (string | null)[] | null,
    ...(prefix.hasPlaces
      ? {
          places: {
            files: new Uint16Array(aligned(7, 2)),
            offsets: new BigUint64Array(aligned(8, 8)),
            chunks: (fields[9] as unknown as [number, number, number, number][]).map(
              ([file, offset, bytes, crc]) => ({ file, offset, bytes, crc }),
            ),
          },
        }
      : {}),
  };
  let total = 0;
  for (let i = 0; i < prefix.count; i++) {
    if (!isPlaced(columns, i)) total += columns.lengths[i] as number;
  }
  if (total !== prefix.payloadBytes) throw corrupt('batch lengths do not add up to its payload bytes');
  return columns;
}

/** The payload of record `index` lies in an object file. */
export function isPlaced({ places }: BatchColumns, index: number): boolean {
  return places !== undefined && places.files[index] !== 0;
}
