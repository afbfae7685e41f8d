import type { ChannelLookup, Definitions, McapChannel } from './definitions.js';
import {
  MESSAGE_PREFIX_BYTES,
  Op,
  parseChannel,
  parseSchema,
  RECORD_HEADER_BYTES,
  RecordError,
} from './records.js';

/** One message as an MCAP has it. */
export interface McapMessage {
  readonly channel: McapChannel;
  /** 0 where the writer did not number. */
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly publishTime: bigint;
  /** A view into the decoded chunk: it stays valid, and keeps the whole chunk in memory. Copy to keep. */
  readonly data: Uint8Array;
}

/** Schema, channel and message records behind one another: the inside of a chunk, or of a file without chunks. */
export interface Block {
  readonly records: Uint8Array;
  readonly view: DataView;
  /** Of the messages, in file order. */
  readonly channels: readonly McapChannel[];
  /** Where each message's content begins in `records`. */
  readonly offsets: readonly number[];
  /** Bytes that could be parsed; all of them, or up to `problem`. */
  readonly goodBytes: number;
  readonly problem?: string;
  /** Messages of channels that nothing defines. */
  readonly undefinedMessages: number;
}

export interface ParseBlockOptions {
  /** Takes in the schema and channel records; without it they are passed over. */
  readonly define?: Definitions;
  /** Log times a message can have; another one means that the bytes are wrong. */
  readonly times?: { readonly from: bigint; readonly to: bigint };
}

/** Finds the messages. Never throws: what does not parse ends it, with `problem` and `goodBytes`. */
export function parseBlock(
  records: Uint8Array,
  lookup: ChannelLookup,
  { define, times }: ParseBlockOptions = {},
): Block {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const channels: McapChannel[] = [];
  const offsets: number[] = [];
  let undefinedMessages = 0;
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
      const time = view.getBigUint64(from + 6, true);
      if (times !== undefined && (time < times.from || time > times.to)) {
        problem = `a message of log time ${time} in a chunk from ${times.from} to ${times.to}`;
        break;
      }
      const channel = lookup.channel(view.getUint16(from, true));
      if (channel === undefined) {
        undefinedMessages++;
      } else {
        channels.push(channel);
        offsets.push(from);
      }
    } else if (opcode === Op.schema || opcode === Op.channel) {
      problem = takeDefinition(opcode, records.subarray(from, from + length), define);
      if (problem !== undefined) break;
    } else {
      problem = `a record of type 0x${opcode.toString(16).padStart(2, '0')} among messages`;
      break;
    }
    at = from + length;
  }
  return {
    records,
    view,
    channels,
    offsets,
    goodBytes: at,
    undefinedMessages,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** A record's content length; lengths no memory could hold count as one. */
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
    channel: block.channels[index]!,
    sequence: view.getUint32(from + 2, true),
    logTime: view.getBigUint64(from + 6, true),
    publishTime: view.getBigUint64(from + 14, true),
    data: block.records.subarray(from + MESSAGE_PREFIX_BYTES, from + length),
  };
}
