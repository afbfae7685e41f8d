import { crc32 } from '@node-rs/crc32';
import type { Channel, Message } from '../core/message.js';
import { clampTime } from '../core/time-range.js';
import type { ObjectFile, PlacedRecord } from './object-file.js';
import { fitsChunk } from './placement.js';
import {
  encodeBatch,
  isPlaced,
  type PlacedChunkWithPayloads,
  type BatchColumns,
  type BatchKind,
  type BatchLink,
  type EncodedBatch,
} from './batch-codec.js';

/**
 * Payloads up to this many bytes are copied together: one large write is faster than thousands of small
 * vectors.
 */
const COPY_BELOW_BYTES = 16 * 1024;
/** A larger run of small payloads gets its own memory, which is freed afterwards. */
const SLAB_MAX_BYTES = 16 * 1024 * 1024;
const SLAB_STEP_BYTES = 1024 * 1024;

/**
 * Reusable memory for the small payloads of successive batches, instead of fresh pages for each. An encoded
 * payload is valid until the next encoding.
 */
export class Slab {
  #memory = Buffer.alloc(0);
  #used = 0;

  reset(): void {
    this.#used = 0;
  }

  take(bytes: number): Buffer {
    if (this.#used + bytes > this.#memory.length) {
      if (this.#used > 0 || bytes > SLAB_MAX_BYTES) return Buffer.allocUnsafe(bytes);
      this.#memory = Buffer.allocUnsafeSlow(Math.ceil(bytes / SLAB_STEP_BYTES) * SLAB_STEP_BYTES);
    }
    const slice = this.#memory.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    return slice;
  }
}

/** Decides which payloads of a batch lie in object files. */
export interface Placing {
  /** Undefined: the payload lies in the batch. */
  fileOf(message: Message, channelId: number): ObjectFile | undefined;
  /** Counts one message of a channel; returns how many there are in this segment. */
  count(channelId: number): number;
}

/**
 * Turns messages into one encoded batch. `channelIdOf` gives the id of a message's channel within the
 * segment. Times that the formats cannot hold are clamped (see `clampTime`) and counted. With a `slab`, the
 * result is valid until the slab is used again.
 */
export function encodeMessages(
  messages: readonly Message[],
  channelIdOf: (message: Message) => number,
  firstSequence: number,
  previous: BatchLink,
  kind: BatchKind = {},
  slab = new Slab(),
  placing?: Placing,
): EncodedBatch {
  const count = messages.length;
  const columns: EncodedColumns = {
    channelIds: new Uint32Array(count),
    receivedAt: new BigUint64Array(count),
    publishedAt: new BigUint64Array(count),
    lengths: new Uint32Array(count),
    crcs: new Uint32Array(count),
    sourceSequences: null,
    publishers: null,
  };
  let clampedTimes = 0;
  for (let i = 0; i < count; i++) {
    const message = messages[i] as Message;
    const { data } = message;
    columns.channelIds[i] = channelIdOf(message);
    const receivedAt = clampTime(message.receivedAt, kind.latestTime);
    const publishedAt = clampTime(message.publishedAt, kind.latestTime);
    if (receivedAt !== message.receivedAt || publishedAt !== message.publishedAt) clampedTimes++;
    columns.receivedAt[i] = receivedAt;
    columns.publishedAt[i] = publishedAt;
    columns.lengths[i] = data.byteLength;
    columns.crcs[i] = crc32(data);
    if (message.sourceSequence !== undefined) {
      columns.sourceSequences ??= new Float64Array(count).fill(-1);
      columns.sourceSequences[i] = message.sourceSequence;
    }
    if (message.publisher !== undefined) {
      columns.publishers ??= new Array<string | null>(count).fill(null);
      columns.publishers[i] = message.publisher;
    }
  }
  const placed = placing && place(messages, columns, placing);
  const whole = placed ? { ...columns, places: placed.places } : columns;
  const { pieces, bytes } = gather(messages, whole, slab);
  const encoded = encodeBatch(whole, pieces, bytes, firstSequence, previous, kind);
  return { ...encoded, clampedTimes, ...(placed ? { chunks: placed.chunks } : {}) };
}

type EncodedColumns = Omit<BatchColumns, 'sourceSequences' | 'publishers' | 'places'> & {
  sourceSequences: Float64Array | null;
  publishers: (string | null)[] | null;
};

/** What one commit puts into one object file. */
interface ChunkPlan {
  readonly records: PlacedRecord[];
  readonly indexes: number[];
  bytes: number;
}

/** Undefined: all payloads lie in the batch. */
function place(
  messages: readonly Message[],
  columns: EncodedColumns,
  placing: Placing,
): { places: NonNullable<BatchColumns['places']>; chunks: PlacedChunkWithPayloads[] } | undefined {
  const plans = new Map<ObjectFile, ChunkPlan>();
  for (const [i, message] of messages.entries()) {
    const channelId = columns.channelIds[i] as number;
    const number = placing.count(channelId);
    const file = placing.fileOf(message, channelId);
    if (!file) continue;
    let plan = plans.get(file);
    if (!plan) plans.set(file, (plan = { records: [], indexes: [], bytes: 0 }));
    const bytes = columns.lengths[i] as number;
    if (!fitsChunk(plan.bytes, bytes)) continue;
    plan.bytes += bytes;
    plan.indexes.push(i);
    plan.records.push(placedRecord(columns, i, message.channel, number));
  }
  if (plans.size === 0) return undefined;
  const files = new Uint16Array(messages.length);
  const offsets = new BigUint64Array(messages.length);
  const chunks = [...plans].map(([file, { records, indexes }]) => {
    const chunk = file.place(records);
    for (const [at, i] of indexes.entries()) {
      files[i] = file.number;
      offsets[i] = BigInt(chunk.offset + (chunk.payloadOffsets[at] as number));
    }
    return { chunk, payloads: indexes.map((i) => (messages[i] as Message).data) };
  });
  const references = chunks.map(({ chunk: { file, offset, bytes, crc } }) => ({
    file: file.number,
    offset,
    bytes,
    crc,
  }));
  return { places: { files, offsets, chunks: references }, chunks };
}

/**
 * Record `index` of a batch as an object file takes it.
 *
 * @param number - How many messages of the channel the segment has up to this one.
 */
export function placedRecord(
  columns: BatchColumns,
  index: number,
  channel: Channel,
  number: number,
): PlacedRecord {
  const sourceSequence = columns.sourceSequences?.[index] ?? -1;
  return {
    channelId: columns.channelIds[index] as number,
    channel,
    sequence: mcapSequence(sourceSequence, number),
    logTime: columns.receivedAt[index] as bigint,
    publishTime: columns.publishedAt[index] as bigint,
    bytes: columns.lengths[index] as number,
    crc: columns.crcs[index] as number,
  };
}

/** MCAP's `sequence`: the source's number, or the channel's count where the source does not number (-1). */
export function mcapSequence(sourceSequence: number, count: number): number {
  return (sourceSequence >= 0 ? sourceSequence : count) % 2 ** 32;
}

/** The payloads in order: runs of small ones copied into one buffer, large ones by reference. */
function gather(
  messages: readonly Message[],
  columns: BatchColumns,
  slab: Slab,
): { pieces: Uint8Array[]; bytes: number } {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  slab.reset();
  for (let i = 0; i < messages.length;) {
    const length = columns.lengths[i] as number;
    if (isPlaced(columns, i)) {
      i++;
      continue;
    }
    if (length >= COPY_BELOW_BYTES) {
      pieces.push((messages[i] as Message).data);
      bytes += length;
      i++;
      continue;
    }
    let end = i;
    let run = 0;
    while (end < messages.length && isSmall(columns, end)) run += columns.lengths[end++] as number;
    const piece = slab.take(run);
    for (let at = 0; i < end; i++) {
      piece.set((messages[i] as Message).data, at);
      at += columns.lengths[i] as number;
    }
    pieces.push(piece);
    bytes += run;
  }
  return { pieces, bytes };
}

function isSmall(columns: BatchColumns, index: number): boolean {
  return (columns.lengths[index] as number) < COPY_BELOW_BYTES && !isPlaced(columns, index);
}
