/** Size field and type. */
const HEAD_BYTES = 5;

/** A frame: its size, its type and its body. */
export function framed(type: number, parts: readonly Uint8Array[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(bytes + 1, 0);
  head[4] = type;
  return Buffer.concat([head, ...parts]);
}

/** A text: its length in bytes, and UTF-8. */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.byteLength), bytes]);
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
