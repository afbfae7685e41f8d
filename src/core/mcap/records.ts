import { crc32 } from 'node:zlib';

/**
 * Strict parsers for the records of MCAP: no length in a record may reach beyond the length of the record.
 * `@mcap/core` parses valid files. These parsers are for files that may be damaged, where trust in one wrong
 * length gives wrong messages. Bytes after the known fields are fields of a later version, and ignored.
 *
 * A record is one byte opcode, eight bytes little-endian content length, content (https://mcap.dev/spec,
 * version 0).
 */
export const MAGIC = Uint8Array.of(0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a);
export const RECORD_HEADER_BYTES = 9;

export const Op = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  attachment: 0x09,
  attachmentIndex: 0x0a,
  statistics: 0x0b,
  metadata: 0x0c,
  metadataIndex: 0x0d,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;

export interface SchemaRecord {
  readonly id: number;
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
}

export interface ChannelRecord {
  readonly id: number;
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface MetadataRecord {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The content of a record does not match its opcode. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
}

const decoder = new TextDecoder();

/** Reads fields in sequence; throws RecordError at the end of the bytes. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.byteLength - at) {
      throw new RecordError(`a field of ${count} bytes where ${this.#bytes.byteLength - at} are left`);
    }
    this.#at = at + count;
    return at;
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }
  string(): string {
    return decoder.decode(this.bytes(this.uint32()));
  }
  map(): Record<string, string> {
    const inner = new FieldReader(this.bytes(this.uint32()));
    const entries: [string, string][] = [];
    while (inner.position < inner.#bytes.byteLength) {
      const key = inner.string();
      entries.push([key, inner.string()]);
    }
    // Not by assignment: a key may be any text, including `__proto__`.
    return Object.fromEntries(entries);
  }
  /** An array of `width`-byte elements, skipped. */
  skipArray(width: number): void {
    const length = this.uint32();
    if (length % width !== 0) throw new RecordError(`an array of ${length} bytes in steps of ${width}`);
    this.#take(length);
  }
  /** Number of bytes after the fields that were read. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }
  end(): void {
    if (this.left !== 0) throw new RecordError(`${this.left} bytes too many`);
  }
}

export function parseSchema(content: Uint8Array): SchemaRecord {
  const fields = new FieldReader(content);
  const id = fields.uint16();
  const name = fields.string();
  const encoding = fields.string();
  const data = Uint8Array.from(fields.bytes(fields.uint32()));
  return { id, name, encoding, data };
}

export function parseChannel(content: Uint8Array): ChannelRecord {
  const fields = new FieldReader(content);
  return {
    id: fields.uint16(),
    schemaId: fields.uint16(),
    topic: fields.string(),
    messageEncoding: fields.string(),
    metadata: fields.map(),
  };
}

export function parseMetadata(content: Uint8Array): MetadataRecord {
  const fields = new FieldReader(content);
  return { name: fields.string(), metadata: fields.map() };
}

export function parseHeader(content: Uint8Array): { readonly profile: string; readonly library: string } {
  const fields = new FieldReader(content);
  return { profile: fields.string(), library: fields.string() };
}

export interface AttachmentRecord {
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly createTime: bigint;
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** Also throws RecordError if the CRC of the attachment is wrong. */
export function parseAttachment(content: Uint8Array): AttachmentRecord {
  const fields = new FieldReader(content);
  const logTime = fields.uint64();
  const createTime = fields.uint64();
  const name = fields.string();
  const mediaType = fields.string();
  const data = fields.bytes(Number(fields.uint64()));
  const body = content.subarray(0, fields.position);
  const crc = fields.uint32();
  if (crc !== 0 && crc !== crc32(body)) throw new RecordError('an attachment whose CRC is wrong');
  return { logTime, createTime, name, mediaType, data };
}

/** Bytes of a message's content before its payload. */
export const MESSAGE_PREFIX_BYTES = 22;

/** Bytes of a chunk's content before its compression. */
export const CHUNK_PREFIX_BYTES = 28;

export interface ChunkHeader {
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly uncompressedBytes: bigint;
  /** 0: the writer computed none. */
  readonly crc: number;
  readonly compression: string;
  readonly recordsBytes: bigint;
  /** Bytes of the content before the records. */
  readonly prefixBytes: number;
}

/** Maximum length of a plausible `compression` text. */
export const COMPRESSION_MAX_BYTES = 32;

/** Parses the fields before a chunk's records; `content` may end after them. */
export function parseChunkHeader(content: Uint8Array): ChunkHeader {
  const fields = new FieldReader(content);
  const startTime = fields.uint64();
  const endTime = fields.uint64();
  const uncompressedBytes = fields.uint64();
  const crc = fields.uint32();
  const compressionBytes = fields.uint32();
  if (compressionBytes > COMPRESSION_MAX_BYTES) {
    throw new RecordError(`a chunk with a compression name of ${compressionBytes} bytes`);
  }
  const compression = decoder.decode(fields.bytes(compressionBytes));
  const recordsBytes = fields.uint64();
  return {
    startTime,
    endTime,
    uncompressedBytes,
    crc,
    compression,
    recordsBytes,
    prefixBytes: fields.position,
  };
}

/**
 * From this opcode on, records are not of this version of the format: those of a later writer, and private
 * ones from 0x80.
 */
const FIRST_UNKNOWN = 0x10;

/** A record of a type that this version of the format does not define; readers skip it by its length. */
export function isUnknown(opcode: number): boolean {
  return opcode >= FIRST_UNKNOWN;
}

/**
 * Throws RecordError unless the content begins with the fields of its opcode (chunk and attachment have their
 * own parsers).
 *
 * @returns the number of bytes after the known fields. A later version of the format may add fields to all
 * records except message, footer and data end; readers ignore them.
 */
export function checkForm(opcode: number, content: Uint8Array): number {
  const fields = new FieldReader(content);
  switch (opcode) {
    case Op.header:
      fields.string();
      fields.string();
      break;
    case Op.schema:
      fields.uint16();
      fields.string();
      fields.string();
      fields.bytes(fields.uint32());
      break;
    case Op.channel:
      fields.bytes(4);
      fields.string();
      fields.string();
      fields.map();
      break;
    case Op.message:
      fields.bytes(MESSAGE_PREFIX_BYTES);
      return 0;
    case Op.metadata:
      fields.string();
      fields.map();
      break;
    case Op.footer:
      fields.bytes(20);
      fields.end();
      break;
    case Op.dataEnd:
      fields.bytes(4);
      fields.end();
      break;
    case Op.messageIndex:
      fields.uint16();
      fields.skipArray(16);
      break;
    case Op.chunkIndex:
      fields.bytes(32);
      fields.skipArray(10);
      fields.uint64();
      fields.string();
      fields.bytes(16);
      break;
    case Op.attachmentIndex:
      fields.bytes(40);
      fields.string();
      fields.string();
      break;
    case Op.statistics:
      fields.bytes(42);
      fields.skipArray(10);
      break;
    case Op.metadataIndex:
      fields.bytes(16);
      fields.string();
      break;
    case Op.summaryOffset:
      fields.bytes(17);
      break;
    default:
      throw new RecordError(`a record of type 0x${opcode.toString(16).padStart(2, '0')}`);
  }
  return fields.left;
}
