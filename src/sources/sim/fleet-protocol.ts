import type { Schema } from '../../core/message.js';
import type { SimChannel } from '../../simulation/generator.js';

/**
 * The wire format between a fleet process and its listener, version 1; docs/simulator.md describes it.
 * A frame is its length (u32, kind and body), a kind (u8) and a body; everything is little endian.
 */
export const FLEET_PROTOCOL_VERSION = 1;
export const FLEET_MAGIC = 'HFSM';

export const Frame = {
  // from the client
  HELLO: 0x01,
  SUBSCRIBE: 0x02,
  ACK: 0x03,
  LEDGER_REQUEST: 0x10,
  STOP_REQUEST: 0x11,
  EXIT_REQUEST: 0x12,
  // from the fleet
  WELCOME: 0x81,
  CHANNELS: 0x82,
  NUMBERING: 0x83,
  MESSAGE: 0x84,
  END: 0x85,
  REFUSED: 0x86,
  LEDGER: 0x90,
  DONE: 0x91,
} as const;

export type FleetRole = 'listener' | 'control';
const ROLES: readonly FleetRole[] = ['listener', 'control'];

const PREFIX_BYTES = 5;
const MESSAGE_HEAD_BYTES = 20;
/** Maximum length of a frame; a longer length means that the peer uses another protocol. */
export const FRAME_MAX_BYTES = 512 * 1024 * 1024;

export interface FrameParts {
  readonly kind: number;
  /** Bytes of their own: nothing else refers to them. */
  readonly body: Uint8Array;
}

export function encodeFrame(kind: number, body: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + body.length);
  frame.writeUInt32LE(body.length + 1, 0);
  frame[4] = kind;
  frame.set(body, PREFIX_BYTES);
  return frame;
}

/** Everything of a MESSAGE frame before its payload. */
export function encodeMessageHead(
  channel: number,
  sequence: number,
  stamp: bigint,
  payloadBytes: number,
): Buffer {
  const head = Buffer.allocUnsafe(PREFIX_BYTES + MESSAGE_HEAD_BYTES);
  head.writeUInt32LE(1 + MESSAGE_HEAD_BYTES + payloadBytes, 0);
  head[4] = Frame.MESSAGE;
  head.writeUInt32LE(channel, 5);
  head.writeBigUInt64LE(BigInt(sequence), 9);
  head.writeBigInt64LE(stamp, 17);
  return head;
}

export interface MessageFrame {
  readonly channel: number;
  readonly sequence: number;
  readonly stamp: bigint;
  readonly data: Uint8Array;
}

export function decodeMessage(body: Uint8Array): MessageFrame {
  const view = viewOf(body);
  return {
    channel: view.getUint32(0, true),
    sequence: Number(view.getBigUint64(4, true)),
    stamp: view.getBigInt64(12, true),
    data: body.subarray(MESSAGE_HEAD_BYTES),
  };
}

export function encodeJson(kind: number, value: unknown): Buffer {
  return encodeFrame(kind, Buffer.from(JSON.stringify(value), 'utf8'));
}

export function decodeJson(body: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(body));
}

export function encodeHello(role: FleetRole): Buffer {
  const body = Buffer.alloc(7);
  body.write(FLEET_MAGIC, 0, 'latin1');
  body.writeUInt16LE(FLEET_PROTOCOL_VERSION, 4);
  body[6] = ROLES.indexOf(role);
  return encodeFrame(Frame.HELLO, body);
}

/** Undefined: not a hello of this protocol. */
export function decodeHello(body: Uint8Array): { version: number; role: FleetRole } | undefined {
  if (body.length !== 7 || Buffer.from(body).toString('latin1', 0, 4) !== FLEET_MAGIC) return undefined;
  const role = ROLES[body[6]!];
  return role && { version: viewOf(body).getUint16(4, true), role };
}

/** Channel numbers. */
export function encodeChannels(channels: readonly number[]): Buffer {
  const body = Buffer.alloc(4 * channels.length);
  channels.forEach((channel, i) => body.writeUInt32LE(channel, 4 * i));
  return encodeFrame(Frame.SUBSCRIBE, body);
}

export function decodeChannels(body: Uint8Array): number[] {
  const view = viewOf(body);
  return Array.from({ length: Math.floor(body.length / 4) }, (_, i) => view.getUint32(4 * i, true));
}

/** Number of messages of this connection that have arrived. */
export function encodeAck(count: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt(count));
  return encodeFrame(Frame.ACK, body);
}

export function decodeAck(body: Uint8Array): number {
  return Number(viewOf(body).getBigUint64(0, true));
}

export interface WelcomeFrame {
  readonly version: number;
  /** 32 hex digits, different at each start of a fleet, which has its own numbering. */
  readonly fleetId: string;
}

/** The state of one channel's numbering when a listener connects; zero times: none yet. */
export interface NumberingFrame {
  readonly channel: number;
  readonly delivered: number;
  readonly next: number;
  readonly deliveredAt: string;
  readonly nextAt: string;
}

/** Number of the last message of a channel, when the fleet has ended. */
export interface EndFrame {
  readonly channel: number;
  readonly last: number;
  readonly lastAt: string;
}

interface ChannelsFrame {
  readonly schemas: readonly { name: string; encoding: string; text: string }[];
  readonly channels: readonly (Omit<SimChannel, 'schema'> & { schema: number })[];
}

/** The channel list, each schema once. */
export function encodeChannelList(channels: readonly SimChannel[]): Buffer {
  const schemas = [...new Set(channels.map((channel) => channel.schema))];
  const list: ChannelsFrame = {
    schemas: schemas.map(({ name, encoding, data }) => ({
      ...{ name, encoding },
      text: new TextDecoder().decode(data),
    })),
    channels: channels.map((channel) => ({ ...channel, schema: schemas.indexOf(channel.schema) })),
  };
  return encodeJson(Frame.CHANNELS, list);
}

export function decodeChannelList(body: Uint8Array): SimChannel[] {
  const { schemas, channels } = decodeJson(body) as ChannelsFrame;
  const decoded = schemas.map(({ name, encoding, text }): Schema =>
    Object.freeze({ name, encoding, data: new TextEncoder().encode(text) }),
  );
  return channels.map((channel) => {
    const schema = decoded[channel.schema];
    if (schema === undefined) throw new RangeError(`channel ${channel.topic} refers to no schema`);
    return { ...channel, metadata: Object.freeze(channel.metadata), schema };
  });
}

/** Cuts a byte stream into frames. Each body is assembled once, in bytes of its own. */
export class FrameReader {
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFilled = 0;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  /** @throws RangeError if the bytes cannot be of this protocol. */
  push(chunk: Uint8Array): FrameParts[] {
    const frames: FrameParts[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#body === undefined) {
        this.#prefix[this.#prefixFilled++] = chunk[at++]!;
        if (this.#prefixFilled < PREFIX_BYTES) continue;
        const length = this.#prefix.readUInt32LE(0);
        if (length < 1 || length > FRAME_MAX_BYTES) throw new RangeError(`a frame of ${length} bytes`);
        this.#body = new Uint8Array(length - 1);
        this.#bodyFilled = 0;
      } else {
        const part = chunk.subarray(at, at + this.#body.length - this.#bodyFilled);
        this.#body.set(part, this.#bodyFilled);
        this.#bodyFilled += part.length;
        at += part.length;
      }
      if (this.#bodyFilled === this.#body.length) {
        frames.push({ kind: this.#prefix[4]!, body: this.#body });
        this.#body = undefined;
        this.#prefixFilled = 0;
      }
    }
    return frames;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
