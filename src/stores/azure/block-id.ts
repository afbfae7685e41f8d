/**
 * Names of blocks. Azure knows no uploads: it keeps the uncommitted blocks of a blob by name, all of one length.
 * So the name says everything that a restarted process must know. 24 bytes, big-endian, in base64:
 *
 * ```
 * 0   'H'
 * 1   version, 1
 * 2   upload, 10 bytes
 * 12  part number
 * 14  order, 6 bytes: of two blocks of one part the larger counts
 * 20  CRC-32 of the block
 * ```
 */
export interface BlockId {
  /** 20 hex digits. */
  readonly uploadId: string;
  /** From 1 to {@link MAX_BLOCKS}. */
  readonly partNumber: number;
  /** Milliseconds since the Unix epoch, and more than that of earlier blocks. */
  readonly order: number;
  readonly crc32: number;
}

/** Of one blob: Azure's limit. */
export const MAX_BLOCKS = 50_000;
export const UPLOAD_ID_BYTES = 10;

const MAGIC = 0x48;
const VERSION = 1;
const LENGTH = 24;

export function encodeBlockId({ uploadId, partNumber, order, crc32 }: BlockId): string {
  const bytes = Buffer.alloc(LENGTH);
  bytes[0] = MAGIC;
  bytes[1] = VERSION;
  bytes.write(uploadId, 2, UPLOAD_ID_BYTES, 'hex');
  bytes.writeUInt16BE(partNumber, 12);
  bytes.writeUIntBE(order, 14, 6);
  bytes.writeUInt32BE(crc32, 20);
  return bytes.toString('base64');
}

/** Undefined if another program named the block. */
export function decodeBlockId(name: string): BlockId | undefined {
  const bytes = Buffer.from(name, 'base64');
  if (bytes.length !== LENGTH || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined;
  return {
    uploadId: bytes.toString('hex', 2, 2 + UPLOAD_ID_BYTES),
    partNumber: bytes.readUInt16BE(12),
    order: bytes.readUIntBE(14, 6),
    crc32: bytes.readUInt32BE(20),
  };
}
