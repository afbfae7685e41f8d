import { parseBlock, type Block, type McapMessage } from './block.js';
import { BlockCache } from './block-cache.js';
import { BlockCursor } from './block-cursor.js';
import type { BlockRef } from './block-ref.js';
import { selection, type Selected, type TimeRange } from './block-selection.js';
import { chunkObstacle, decodeChunk } from './chunk.js';
import type { Decompressors } from './decompress.js';
import { Definitions } from './definitions.js';
import { unpacked } from './message-compression.js';
import { MinHeap } from './min-heap.js';
import type { McapLimits, Readable } from './readable.js';
import { Op, parseChunkHeader, RECORD_HEADER_BYTES, RecordError } from './records.js';
import type { UnreadableRange } from './scan-report.js';
import { Turns } from './turns.js';

export interface ReadOptions {
  /** The log times wanted of a channel; undefined: none of its messages. Default: all messages. */
  readonly select?: Selected;
  /** Called for each part that cannot be read and is left out. Without it, reading throws `MCAP_UNREADABLE`. */
  readonly onUnreadable?: (range: UnreadableRange) => void;
  /** Shared among readers that read together, so that the limit holds for all of them. */
  readonly cache?: BlockCache;
  readonly signal?: AbortSignal;
}

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

/** The same messages in the same order, in groups: awaiting each message costs more than reading it. */
export async function* readBlockRuns(
  readable: Readable,
  refs: readonly BlockRef[],
  decompressors: Decompressors,
  limits: McapLimits,
  options: ReadOptions,
): AsyncGenerator<readonly McapMessage[], void, void> {
  const cache = options.cache ?? new BlockCache();
  const selected = selection(options.select);
  const compare = (a: BlockCursor, b: BlockCursor): number =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : a.ref.at - b.ref.at;
  const heap = new MinHeap<BlockCursor>(compare);
  const wanted = refs.filter((ref) => mayHold(ref, selected));
  for (const ref of wanted) heap.push(new BlockCursor(ref, selected, cache));
  const overlapping = mostOverlapping(wanted);
  cache.share(overlapping);
  const load = (ref: BlockRef): Promise<Block> =>
    loadBlock(readable, ref, decompressors, limits, (bytes) => cache.makeRoom(bytes));
  const turns = new Turns();
  const damaged = (ref: BlockRef, reason: string): void => {
    if (options.onUnreadable === undefined) throw new RecordError(`at byte ${ref.at}: ${reason}`);
    options.onUnreadable({ from: ref.at, to: ref.at + ref.length, reason });
  };
  try {
    for (let cursor = heap.peek(); cursor !== undefined; cursor = heap.peek()) {
      options.signal?.throwIfAborted();
      const { ref } = cursor;
      if (!cursor.isOpen) {
        cursor.open(await loadOrReport(load, ref, damaged));
      } else {
        if (!cursor.isReady) cursor.refill(await load(ref));
        const here = cursor;
        const other = heap.peekSecond();
        const run = here.take(() => other === undefined || compare(here, other) < 0);
        const plain = unpackRun(run, limits, (reason) => damaged(ref, reason));
        if (plain.length > 0) yield plain;
        await turns.worked(run.length, bytesOf(run));
      }
      if (cursor.isDone) heap.pop()?.close();
      else heap.settleTop();
    }
  } finally {
    for (let cursor = heap.pop(); cursor !== undefined; cursor = heap.pop()) cursor.close();
    cache.share(-overlapping);
  }
}

function bytesOf(run: readonly McapMessage[]): number {
  let bytes = 0;
  for (const { data } of run) bytes += data.byteLength;
  return bytes;
}

/** The largest number of blocks that overlap at one time. */
function mostOverlapping(refs: readonly BlockRef[]): number {
  const begins = BigUint64Array.from(refs, ({ from }) => from).sort();
  const ends = BigUint64Array.from(refs, ({ to }) => to).sort();
  let most = 0;
  for (let begun = 0, ended = 0; begun < begins.length; begun++) {
    while (ends[ended]! < begins[begun]!) ended++;
    most = Math.max(most, begun + 1 - ended);
  }
  return most;
}

async function loadOrReport(
  load: (ref: BlockRef) => Promise<Block>,
  ref: BlockRef,
  damaged: (ref: BlockRef, reason: string) => void,
): Promise<Block | undefined> {
  try {
    const block = await load(ref);
    if (block.problem !== undefined) damaged(ref, block.problem);
    if (block.undefinedMessages > 0) {
      damaged(ref, `${block.undefinedMessages} messages of channels that are not defined`);
    }
    return block;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    damaged(ref, error.message);
    return undefined;
  }
}

/** Decompresses payloads that rosbag2 compressed; those that do not decompress are left out. */
function unpackRun(
  run: readonly McapMessage[],
  { maxRecordBytes }: McapLimits,
  damaged: (reason: string) => void,
): McapMessage[] {
  const plain: McapMessage[] = [];
  for (const message of run) {
    try {
      plain.push(unpacked(message, maxRecordBytes));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      damaged(`a message of ${message.channel.topic} at ${message.logTime} that ${error.message}`);
    }
  }
  return plain;
}

/**
 * Reads and decodes one block. Throws RecordError with the reason if it is damaged.
 *
 * @param makeRoom called with the size before the bytes are allocated
 */
async function loadBlock(
  readable: Readable,
  ref: BlockRef,
  decompressors: Decompressors,
  limits: McapLimits,
  makeRoom: (bytes: number) => void,
): Promise<Block> {
  if (ref.length > limits.maxChunkBytes) {
    throw new RecordError(`a chunk of ${ref.length} bytes, allowed: ${limits.maxChunkBytes}`);
  }
  const block = await readBlock(readable, ref, decompressors, limits, makeRoom);
  return ref.exact === undefined ? block : { ...block, ...ref.exact };
}

async function readBlock(
  readable: Readable,
  ref: BlockRef,
  decompressors: Decompressors,
  limits: McapLimits,
  makeRoom: (bytes: number) => void,
): Promise<Block> {
  makeRoom(ref.length);
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
  // A later version of the format may have added fields after the records.
  const end = header.prefixBytes + Number(header.recordsBytes);
  if (end > contentBytes) throw new RecordError('a chunk whose two lengths disagree');
  const obstacle = chunkObstacle(header, contentBytes, decompressors, limits);
  if (obstacle !== undefined) throw new RecordError(obstacle);
  if (header.compression !== '') makeRoom(contentBytes + Number(header.uncompressedBytes));
  const records = await decodeChunk(header, content.subarray(header.prefixBytes, end), decompressors);
  const block = parseBlock(records, ref.lookup);
  if (block.undefinedMessages === 0 || !(ref.lookup instanceof Definitions)) return block;
  // The summary does not define a channel that the chunk defines.
  const own = new Definitions(ref.lookup);
  return parseBlock(records, own, { define: own });
}

function mayHold(ref: BlockRef, selected: Selected): boolean {
  if (ref.channelIds === undefined || ref.exact !== undefined) return true;
  return ref.channelIds.some((id) => {
    const channel = ref.lookup.channel(id);
    const range = channel === undefined ? {} : selected(channel);
    if (range === undefined) return false;
    return (
      !(range.from !== undefined && ref.to < range.from) && !(range.to !== undefined && ref.from > range.to)
    );
  });
}

export type { TimeRange };
