import { FieldReader, RecordError } from '../../core/mcap/records.js';
import { framed, text, uint16, uint32, uint64 } from './frame-bytes.js';

/** Version of the protocol with external programs (docs/transform-process.md). */
export const PROCESS_PROTOCOL_VERSION = 1;

/** Channels that a program defines itself have ids from here on; those below are Holdfast's. */
export const OWN_CHANNELS_FROM = 0x8000;

/** Type and body of one frame. */
export const FRAME_MAX_BYTES = 64 * 1024 * 1024;

export const Frame = { hello: 1, channel: 2, message: 3, done: 4, end: 5 } as const;

/** A channel, as either side defines it. */
export interface FramedChannel {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  readonly schemaEncoding: string;
  readonly schema: Uint8Array;
}

/** What a program says. */
export type ProgramFrame =
  | { readonly kind: 'hello'; readonly version: number; readonly name: string; readonly release: string }
  | { readonly kind: 'channel'; readonly channel: FramedChannel }
  | { readonly kind: 'message'; readonly channel: number; readonly data: Uint8Array }
  | { readonly kind: 'done' }
  | { readonly kind: 'end'; readonly received: bigint; readonly sent: bigint };

/** The first frame to a program. */
export function helloFrame(robot: string, segment: string): Buffer {
  return framed(Frame.hello, [uint16(PROCESS_PROTOCOL_VERSION), text(robot), text(segment)]);
}

export function channelFrame(channel: FramedChannel): Buffer {
  const { id, topic, encoding, schemaName, schemaEncoding, schema } = channel;
  const texts = [topic, encoding, schemaName, schemaEncoding].map(text);
  return framed(Frame.channel, [uint16(id), ...texts, uint32(schema.byteLength), schema]);
}

/** @param logTime - Nanoseconds since the Unix epoch, as `publishTime`. */
export function messageFrame(
  channel: number,
  { logTime, publishTime, data }: { logTime: bigint; publishTime: bigint; data: Uint8Array },
): Buffer {
  return framed(Frame.message, [uint16(channel), uint64(logTime), uint64(publishTime), data]);
}

/** The last frame to a program: how many messages it got. */
export function endFrame(messages: number): Buffer {
  return framed(Frame.end, [uint64(BigInt(messages))]);
}

/** Parses type and body of a frame of a program. Throws an Error that says what is wrong, without any content. */
export function parseProgramFrame(frame: Uint8Array): ProgramFrame {
  return parseFrame(frame, bodyOf);
}

/** Parses type and body of a frame. Throws an Error that says what is wrong, without any content. */
export function parseFrame<T>(
  frame: Uint8Array,
  bodyOf: (type: number | undefined, fields: FieldReader) => T,
): T {
  const type = frame[0];
  const fields = new FieldReader(frame.subarray(1));
  try {
    const parsed = bodyOf(type, fields);
    fields.end();
    return parsed;
  } catch (error) {
    if (error instanceof RecordError)
      throw new Error(`frame of type ${type}: ${error.message}`, { cause: error });
    throw error;
  }
}

function bodyOf(type: number | undefined, fields: FieldReader): ProgramFrame {
  switch (type) {
    case Frame.hello:
      return { kind: 'hello', version: fields.uint16(), name: fields.string(), release: fields.string() };
    case Frame.channel:
      return { kind: 'channel', channel: readChannel(fields) };
    case Frame.message:
      return { kind: 'message', channel: fields.uint16(), data: fields.bytes(fields.left) };
    case Frame.done:
      return { kind: 'done' };
    case Frame.end:
      return { kind: 'end', received: fields.uint64(), sent: fields.uint64() };
    case undefined:
    default:
      throw new Error(`frame of type ${type}; there are: 1 to 5`);
  }
}

/** The body of a frame that defines a channel. */
export function readChannel(fields: FieldReader): FramedChannel {
  const id = fields.uint16();
  const [topic, encoding, schemaName, schemaEncoding] = [
    fields.string(),
    fields.string(),
    fields.string(),
    fields.string(),
  ];
  const schema = Uint8Array.from(fields.bytes(fields.uint32()));
  return { id, topic, encoding, schemaName, schemaEncoding, schema };
}
