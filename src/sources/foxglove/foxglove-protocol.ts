/**
 * The binary frames of the Foxglove WebSocket protocol, version 1
 * (https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md), as far as a recorder needs them.
 */

/** Both are the same for a subscribing client; current servers use the first, older ones the second. */
export const SUBPROTOCOLS: readonly string[] = ['foxglove.sdk.v1', 'foxglove.websocket.v1'];

export const BINARY_MESSAGE_DATA = 1;
/** Opcode, subscription, time. */
export const MESSAGE_HEAD_BYTES = 13;

export interface MessageHead {
  readonly subscription: number;
  /** Nanoseconds since the Unix epoch, if the server uses them so. */
  readonly timestamp: bigint;
}

/** The frame has at least {@link MESSAGE_HEAD_BYTES}. */
export function readMessageHead(frame: Buffer): MessageHead {
  return { subscription: frame.readUInt32LE(1), timestamp: frame.readBigUInt64LE(5) };
}

/**
 * The payload in bytes of its own. A frame is often a view into one socket read; keeping the view would hold
 * up to 64 kB for every small message.
 */
export function ownPayload(frame: Buffer): Uint8Array {
  const alone = frame.buffer.byteLength <= frame.byteLength + MESSAGE_HEAD_BYTES;
  const payload = frame.subarray(MESSAGE_HEAD_BYTES);
  return alone ? payload : Uint8Array.prototype.slice.call(payload);
}
