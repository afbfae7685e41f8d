import { defined } from '../defined.js';
import type { ChannelLookup, Definitions, McapChannel } from './definitions.js';
import {
  MESSAGE_PREFIX_BYTES,
  Op,
  parseChannel,
  parseSchema,
  RECORD_HEADER_BYTES,
  RecordError,
} from './records.js';

/** One message of an MCAP. */
export interface McapMessage {
  readonly channel: McapChannel;
  /** 0 if the writer did not number messages. */
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly publishTime: bigint;
  /** A view into a larger block: it stays valid, and it keeps the whole block in memory. Copy it to keep it. */
  readonly data: Uint8Array;
  /** True if rosbag2 compressed the payload in the file; `data` is the decompressed payload. */
  readonly wasCompressed?: boolean;
}

/** Consecutive schema, channel and message records: the content of a chunk, or of a file without chunks. */
export interface Block {
  readonly records: Uint8Array;
  readonly view: DataView;
  /** The channels with messages here. */
  readonly channels: readonly McapChannel[];
  /** For each message, in file order: its channel, as an index into `channels`. */
  readonly channelIndexes: Uint32Array;
  /** Offset of each message's content in `records`. */
  readonly offsets: Uint32Array;
  /** Number of bytes that could be parsed: all of them, or those before `problem`. */
  readonly goodBytes: number;
  readonly problem?: string;
  /** Number of messages of undefined channels. */
  readonly undefinedMessages: number;
  /** Skipped records that are not a schema, channel or message: private ones, and those of later writers. */
  readonly passedOver: number;
}

export interface ParseBlockOptions {
  /** Receives the schema and channel records; without it they are skipped. */
  readonly define?: Definitions;
}

/** Initial capacity of a list of messages; it doubles. */
const FIRST_PLACES = 256;
/** Bytes per message: its place, channel, and position in the order by time. */
const PLACE_BYTES = 12;

/** Records that frame a file. Within a chunk they mean that the bytes are damaged. */
const framing: ReadonlySet<number> = new Set([0, Op.header, Op.footer, Op.chunk, Op.dataEnd]);

/** Finds the messages. Never throws: bytes that do not parse end the search, with `problem` and `goodBytes`. */
export function parseBlock(
  records: Uint8Array,
  lookup: ChannelLookup,
  { define }: ParseBlockOptions = {},
): Block {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const places = new PlaceList();
  let undefinedMessages = 0;
  let passedOver = 0;
  let at = 0;
  let problem: string | undefined;
  while (at < records.byteLength) {
    const left = records.byteLength - at - RECORD_HEADER_BYTES;
    const length = left < 0 ? 0 : recordLength(view, at);
    if (left < length) {
      problem = left < 0 ? 'a cut record header' : `a record of ${length} bytes where ${left} are left`;
      break;
    }
    const from = at + RECORD_HEADER_BYTES;
    const opcode = view.getUint8(at);
    if (opcode === Op.message) {
      if (length < MESSAGE_PREFIX_BYTES) {
        problem = `a message record of ${length} bytes`;
        break;
      }
      const channel = lookup.channel(view.getUint16(from, true));
      if (channel === undefined) {
        undefinedMessages++;
      } else {
        places.add(channel, from);
      }
    } else if (opcode === Op.schema || opcode === Op.channel) {
      problem = takeDefinition(opcode, records.subarray(from, from + length), define);
      if (problem !== undefined) break;
    } else if (framing.has(opcode)) {
      problem = `a record of type 0x${opcode.toString(16).padStart(2, '0')} among messages`;
      break;
    } else {
      passedOver++;
    }
    at = from + length;
  }
  return {
    records,
    view,
    ...places.taken(),
    goodBytes: at,
    undefinedMessages,
    passedOver,
    ...defined({ problem }),
  };
}

/** Places and channels of messages, 8 bytes each: a chunk may hold millions of them. */
class PlaceList {
  readonly #channels: McapChannel[] = [];
  readonly #indexes = new Map<McapChannel, number>();
  #offsets = new Uint32Array(FIRST_PLACES);
  #channelIndexes = new Uint32Array(FIRST_PLACES);
  #count = 0;

  add(channel: McapChannel, offset: number): void {
    let index = this.#indexes.get(channel);
    if (index === undefined) {
      this.#indexes.set(channel, (index = this.#channels.length));
      this.#channels.push(channel);
    }
    if (this.#count === this.#offsets.length) {
      this.#offsets = grown(this.#offsets);
      this.#channelIndexes = grown(this.#channelIndexes);
    }
    this.#offsets[this.#count] = offset;
    this.#channelIndexes[this.#count++] = index;
  }

  taken(): Pick<Block, 'channels' | 'channelIndexes' | 'offsets'> {
    return {
      channels: this.#channels,
      channelIndexes: this.#channelIndexes.subarray(0, this.#count),
      offsets: this.#offsets.subarray(0, this.#count),
    };
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Content length of a record; rounded beyond 2^53, which no memory could hold. */
function recordLength(view: DataView, at: number): number {
  return Number(view.getBigUint64(at + 1, true));
}

function takeDefinition(
  opcode: number,
  content: Uint8Array,
  definitions: Definitions | undefined,
): string | undefined {
  if (definitions === undefined) return undefined;
  try {
    if (opcode === Op.schema) definitions.addSchema(parseSchema(content));
    else definitions.addChannel(parseChannel(content));
    return undefined;
  } catch (error) {
    if (error instanceof RecordError) return `a damaged definition (${error.message})`;
    throw error;
  }
}

/**
 * Copies some messages of a block into a block of their own, so that they do not keep the whole chunk in
 * memory.
 */
export function extractBlock(block: Block, indexes: Uint32Array): Block {
  const lengthOf = (index: number): number =>
    RECORD_HEADER_BYTES + recordLength(block.view, block.offsets[index]! - RECORD_HEADER_BYTES);
  let bytes = 0;
  for (const index of indexes) bytes += lengthOf(index);
  const records = new Uint8Array(bytes);
  const offsets = new Uint32Array(indexes.length);
  const channelIndexes = new Uint32Array(indexes.length);
  let at = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i]!;
    const from = block.offsets[index]! - RECORD_HEADER_BYTES;
    const length = lengthOf(index);
    records.set(block.records.subarray(from, from + length), at);
    offsets[i] = at + RECORD_HEADER_BYTES;
    channelIndexes[i] = block.channelIndexes[index]!;
    at += length;
  }
  const view = new DataView(records.buffer);
  return { ...block, records, view, offsets, channelIndexes, goodBytes: bytes };
}

/** Memory that a block takes, bytes. */
export function blockBytes({ records, offsets }: Block): number {
  return records.byteLength + PLACE_BYTES * offsets.length;
}

/** Memory that message `index` takes if it is extracted, bytes. */
export function messageBytes(block: Block, index: number): number {
  const from = block.offsets[index]! - RECORD_HEADER_BYTES;
  return RECORD_HEADER_BYTES + recordLength(block.view, from) + PLACE_BYTES;
}

/** The channel of message `index`. */
export function channelAt(block: Block, index: number): McapChannel {
  return block.channels[block.channelIndexes[index]!]!;
}

/** Log time of message `index`. */
export function logTimeAt(block: Block, index: number): bigint {
  return block.view.getBigUint64(block.offsets[index]! + 6, true);
}

/** Message `index` of the block. */
export function messageAt(block: Block, index: number): McapMessage {
  const { view } = block;
  const from = block.offsets[index]!;
  const length = Number(view.getBigUint64(from - 8, true));
  return {
    channel: channelAt(block, index),
    sequence: view.getUint32(from + 2, true),
    logTime: view.getBigUint64(from + 6, true),
    publishTime: view.getBigUint64(from + 14, true),
    data: block.records.subarray(from + MESSAGE_PREFIX_BYTES, from + length),
  };
}
