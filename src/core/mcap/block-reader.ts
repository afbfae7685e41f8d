import { logTimeAt, messageAt, parseBlock, type Block, type McapMessage } from './block.js';
import { BlockCache } from './block-cache.js';
import { chunkObstacle, decodeChunk } from './chunk.js';
import type { Decompressors } from './decompress.js';
import type { ChannelLookup, McapChannel } from './definitions.js';
import { MinHeap } from './min-heap.js';
import type { McapLimits, Readable } from './readable.js';
import { Op, parseChunkHeader, RECORD_HEADER_BYTES, RecordError } from './records.js';
import type { UnreadableRange } from './scan-report.js';

/** Where a block is and what is in it, without its content. */
export interface BlockRef {
  readonly kind: 'chunk' | 'plain';
  readonly at: number;
  readonly length: number;
  /** Log times of its first and last message, nanoseconds since the Unix epoch. */
  readonly from: bigint;
  readonly to: bigint;
  /** Absent: not known, any. */
  readonly channelIds?: readonly number[];
  readonly lookup: ChannelLookup;
}

/** Log times, both inclusive; an absent bound is open. */
export interface TimeRange {
  readonly from?: bigint;
  readonly to?: bigint;
}

export interface ReadOptions {
  /** The log times wanted of a channel; undefined: none of its messages. Default: everything. */
  readonly select?: (channel: McapChannel) => TimeRange | undefined;
  /** Called for each part that cannot be read, which is then left out. Without it reading throws `MCAP_UNREADABLE`. */
  readonly onUnreadable?: (range: UnreadableRange) => void;
  /** Shared among readers that are read together, so that the limit holds for all of them. */
  readonly cache?: BlockCache;
  readonly signal?: AbortSignal;
}

/** A block in the middle of being read: its selected messages in log-time order. */
interface Cursor {
  readonly ref: BlockRef;
  time: bigint;
  loaded: boolean;
  order: Uint32Array;
  position: number;
}

const EMPTY = new Uint32Array(0);

/** Messages given at once at most. */
const MAX_RUN = 256;

/** The selected messages of `refs` in log-time order; messages of one time in file order. */
export async function* readBlocks(
  readable: Readable,
  refs: readonly BlockRef[],
  decompressors: Decompressors,
  limits: McapLimits,
  options: ReadOptions,
): AsyncGenerator<McapMessage, void, void> {
  for await (const run of readBlockRuns(readable, refs, decompressors, limits, options)) {
    for (const message of run) {
      options.signal?.throwIfAborted();
      yield message;
    }
  }
}

/** The same messages in the same order, several at once: waiting for each costs more than reading it. */
export async function* readBlockRuns(
  readable: Readable,
  refs: readonly BlockRef[],
  decompressors: Decompressors,
  limits: McapLimits,
  options: ReadOptions,
): AsyncGenerator<readonly McapMessage[], void, void> {
  const cache = options.cache ?? new BlockCache();
  const selected = selection(options.select);
  const compare = (a: Cursor, b: Cursor): number =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : a.ref.at - b.ref.at;
  const heap = new MinHeap<Cursor>(compare);
  for (const ref of refs) {
    if (!mayHold(ref, selected)) continue;
    heap.push({ ref, time: ref.from, loaded: false, order: EMPTY, position: 0 });
  }
  const load = async (ref: BlockRef): Promise<Block> => {
    const known = cache.get(ref);
    if (known !== undefined) return known;
    const block = await loadBlock(readable, ref, decompressors, limits);
    cache.set(ref, block);
    return block;
  };
  const damaged = (ref: BlockRef, reason: string): void => {
    if (options.onUnreadable === undefined) throw new RecordError(`at byte ${ref.at}: ${reason}`);
    options.onUnreadable({ from: ref.at, to: ref.at + ref.length, reason });
  };
  const loadOrReport = async (ref: BlockRef): Promise<Block | undefined> => {
    try {
      return await load(ref);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      damaged(ref, error.message);
      return undefined;
    }
  };
  try {
    for (let cursor = heap.peek(); cursor !== undefined; cursor = heap.peek()) {
      options.signal?.throwIfAborted();
      if (!cursor.loaded) {
        cursor.loaded = true;
        const block = await loadOrReport(cursor.ref);
        if (block?.problem !== undefined) damaged(cursor.ref, block.problem);
        if (block !== undefined && block.undefinedMessages > 0) {
          damaged(cursor.ref, `${block.undefinedMessages} messages of channels that are not defined`);
        }
        if (block !== undefined) cursor.order = orderOf(block, selected);
      } else {
        const block = await load(cursor.ref);
        const other = heap.peekSecond();
        const run: McapMessage[] = [];
        do {
          run.push(messageAt(block, cursor.order[cursor.position++]!));
          if (cursor.position >= cursor.order.length) break;
          cursor.time = logTimeAt(block, cursor.order[cursor.position]!);
        } while (run.length < MAX_RUN && (other === undefined || compare(cursor, other) < 0));
        yield run;
      }
      if (cursor.position >= cursor.order.length) {
        heap.pop();
        cache.delete(cursor.ref);
      } else {
        if (cursor.position === 0) cursor.time = logTimeAt(await load(cursor.ref), cursor.order[0]!);
        heap.settleTop();
      }
    }
  } finally {
    for (const ref of refs) cache.delete(ref);
  }
}

/** Reads and decodes one block. Throws RecordError with the reason where it is damaged. */
export async function loadBlock(
  readable: Readable,
  ref: BlockRef,
  decompressors: Decompressors,
  limits: McapLimits,
): Promise<Block> {
  if (ref.length > limits.maxChunkBytes) {
    throw new RecordError(`a chunk of ${ref.length} bytes, allowed: ${limits.maxChunkBytes}`);
  }
  const bytes = await readable.read(BigInt(ref.at), BigInt(ref.length));
  if (ref.kind === 'plain') return parseBlock(bytes, ref.lookup);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const contentBytes = bytes.byteLength - RECORD_HEADER_BYTES;
  if (
    contentBytes < 0 ||
    view.getUint8(0) !== Op.chunk ||
    view.getBigUint64(1, true) !== BigInt(contentBytes)
  ) {
    throw new RecordError('no chunk where the index says there is one');
  }
  const content = bytes.subarray(RECORD_HEADER_BYTES);
  const header = parseChunkHeader(content);
  if (header.recordsBytes !== BigInt(contentBytes - header.prefixBytes)) {
    throw new RecordError('a chunk whose two lengths disagree');
  }
  const obstacle = chunkObstacle(header, contentBytes, decompressors, limits);
  if (obstacle !== undefined) throw new RecordError(obstacle);
  const records = await decodeChunk(header, content.subarray(header.prefixBytes), decompressors);
  const times = header.crc === 0 ? { times: { from: header.startTime, to: header.endTime } } : {};
  return parseBlock(records, ref.lookup, times);
}

type Selected = (channel: McapChannel) => TimeRange | undefined;

/** `select` asked once per channel. */
function selection(select: ReadOptions['select']): Selected {
  if (select === undefined) return () => ({});
  const known = new Map<McapChannel, TimeRange | undefined>();
  return (channel) => {
    if (!known.has(channel)) known.set(channel, select(channel));
    return known.get(channel);
  };
}

function mayHold(ref: BlockRef, selected: Selected): boolean {
  if (ref.channelIds === undefined) return true;
  return ref.channelIds.some((id) => {
    const channel = ref.lookup.channel(id);
    const range = channel === undefined ? {} : selected(channel);
    if (range === undefined) return false;
    return (
      !(range.from !== undefined && ref.to < range.from) && !(range.to !== undefined && ref.from > range.to)
    );
  });
}

/** Indexes of the block's selected messages by log time, those of one time in file order. */
function orderOf(block: Block, selected: Selected): Uint32Array {
  const order: number[] = [];
  const times: bigint[] = [];
  let sorted = true;
  for (let i = 0; i < block.offsets.length; i++) {
    const range = selected(block.channels[i]!);
    if (range === undefined) continue;
    const time = logTimeAt(block, i);
    if (range.from !== undefined && time < range.from) continue;
    if (range.to !== undefined && time > range.to) continue;
    if (times.length > 0 && time < times[times.length - 1]!) sorted = false;
    order.push(i);
    times.push(time);
  }
  if (sorted) return Uint32Array.from(order);
  const ranks = order.map((_, rank) => rank);
  ranks.sort((a, b) => (times[a]! < times[b]! ? -1 : times[a]! > times[b]! ? 1 : a - b));
  return Uint32Array.from(ranks, (rank) => order[rank]!);
}
