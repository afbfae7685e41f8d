import { crc32 } from 'node:zlib';
import type { Message } from '../core/message.js';
import {
  encodeBatch,
  type BatchColumns,
  type BatchKind,
  type BatchLink,
  type EncodedBatch,
} from './batch-codec.js';

/** Payloads up to this many bytes are copied together: one large write beats thousands of small vectors. */
const COPY_BELOW_BYTES = 16 * 1024;
/** A larger run of small payloads gets memory of its own, which is given back. */
const SLAB_MAX_BYTES = 16 * 1024 * 1024;
const SLAB_STEP_BYTES = 1024 * 1024;

/**
 * Memory for the small payloads of one batch after the other, instead of fresh pages for each. What was
 * encoded with it is valid until the next encoding.
 */
export class Slab {
  private memory = Buffer.alloc(0);
  private used = 0;

  reset(): void {
    this.used = 0;
  }

  take(bytes: number): Buffer {
    if (this.used + bytes > this.memory.length) {
      if (this.used > 0 || bytes > SLAB_MAX_BYTES) return Buffer.allocUnsafe(bytes);
      this.memory = Buffer.allocUnsafeSlow(Math.ceil(bytes / SLAB_STEP_BYTES) * SLAB_STEP_BYTES);
    }
    const slice = this.memory.subarray(this.used, this.used + bytes);
    this.used += bytes;
    return slice;
  }
}

/**
 * Turns messages into one encoded batch. `channelIdOf` gives the id of a message's channel within the
 * segment. Times before 1970 are clamped to 0, since MCAP's are unsigned. With a `slab` the result is valid
 * until the slab is used again.
 */
export function encodeMessages(
  messages: readonly Message[],
  channelIdOf: (message: Message) => number,
  firstSequence: number,
  previous: BatchLink,
  kind: BatchKind = {},
  slab = new Slab(),
): EncodedBatch {
  const count = messages.length;
  const columns = {
    channelIds: new Uint32Array(count),
    receivedAt: new BigUint64Array(count),
    publishedAt: new BigUint64Array(count),
    lengths: new Uint32Array(count),
    crcs: new Uint32Array(count),
    sourceSequences: null as Float64Array | null,
    publishers: null as (string | null)[] | null,
  };
  for (let i = 0; i < count; i++) {
    const message = messages[i] as Message;
    const { data } = message;
    columns.channelIds[i] = channelIdOf(message);
    columns.receivedAt[i] = message.receivedAt < 0n ? 0n : message.receivedAt;
    columns.publishedAt[i] = message.publishedAt < 0n ? 0n : message.publishedAt;
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
  const { pieces, bytes } = gather(messages, columns, slab);
  return encodeBatch(columns, pieces, bytes, firstSequence, previous, kind);
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
    if (length >= COPY_BELOW_BYTES) {
      pieces.push((messages[i] as Message).data);
      bytes += length;
      i++;
      continue;
    }
    let end = i;
    let run = 0;
    while (end < messages.length && (columns.lengths[end] as number) < COPY_BELOW_BYTES) {
      run += columns.lengths[end++] as number;
    }
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
