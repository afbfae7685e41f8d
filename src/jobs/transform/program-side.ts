import type { FieldReader } from '../../core/mcap/records.js';
import { framed, text, uint16, uint64 } from './frame-bytes.js';
import {
  Frame,
  parseFrame,
  PROCESS_PROTOCOL_VERSION,
  readChannel,
  type FramedChannel,
} from './process-frames.js';

/** What Holdfast says to a program (docs/transform-process.md). */
export type HoldfastFrame =
  | { readonly kind: 'hello'; readonly version: number }
  | { readonly kind: 'channel'; readonly channel: FramedChannel }
  | { readonly kind: 'message'; readonly channel: number; readonly data: Uint8Array }
  | { readonly kind: 'end'; readonly messages: bigint };

/** Parses type and body of a frame of Holdfast. Throws an Error that says what is wrong. */
export function parseHoldfastFrame(frame: Uint8Array): HoldfastFrame {
  return parseFrame(frame, bodyOf);
}

/** The first frame of a program. */
export function programHello(name: string, release: string): Buffer {
  return framed(Frame.hello, [uint16(PROCESS_PROTOCOL_VERSION), text(name), text(release)]);
}

export function programMessage(channel: number, data: Uint8Array): Buffer {
  return framed(Frame.message, [uint16(channel), data]);
}

/** The end of the answer to a message. */
export function programDone(): Buffer {
  return framed(Frame.done, []);
}

/** The last frame of a program. */
export function programEnd(received: number, sent: number): Buffer {
  return framed(Frame.end, [uint64(BigInt(received)), uint64(BigInt(sent))]);
}

function bodyOf(type: number | undefined, fields: FieldReader): HoldfastFrame {
  switch (type) {
    case Frame.hello: {
      const version = fields.uint16();
      // Robot and segment.
      fields.string();
      fields.string();
      return { kind: 'hello', version };
    }
    case Frame.channel:
      return { kind: 'channel', channel: readChannel(fields) };
    case Frame.message: {
      const channel = fields.uint16();
      // Log time and publish time.
      fields.uint64();
      fields.uint64();
      return { kind: 'message', channel, data: fields.bytes(fields.left) };
    }
    case Frame.end:
      return { kind: 'end', messages: fields.uint64() };
    case undefined:
    default:
      throw new Error(`frame of type ${type}; there are: 1, 2, 3 and 5`);
  }
}
