import type { Definitions } from './definitions.js';
import type { McapLimits, Readable } from './readable.js';
import {
  checkForm,
  CHUNK_PREFIX_BYTES,
  COMPRESSION_MAX_BYTES,
  FieldReader,
  isUnknown,
  MAGIC,
  MESSAGE_PREFIX_BYTES,
  Op,
  parseChunkHeader,
  RECORD_HEADER_BYTES,
  RecordError,
  type ChunkHeader,
} from './records.js';
import { present } from '../present.js';

/** Opcode and extent of the bytes at an offset, not yet verified. */
export interface RecordHead {
  readonly opcode: number;
  /** Content length as stated; may be absurd. */
  readonly length: number;
  /** Where the next record would begin. */
  readonly next: number;
}

export const CHUNK_HEADER_MAX_BYTES = CHUNK_PREFIX_BYTES + 4 + COMPRESSION_MAX_BYTES + 8;

const SEARCH_WINDOW_BYTES = 1024 * 1024;
/** Number of consecutive records that make a searched place count as a boundary. */
const CHAIN = 3;
/** Maximum size of a record that is read only to check its form. */
const FORM_MAX_BYTES = 1024 * 1024;
/** Maximum number of consecutive records of unknown types, or with unknown fields. */
const FOLLOWERS = 8;

/** Minimum content size of a record of this opcode; a search skips shorter ones. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  [Op.footer]: 20,
  [Op.schema]: 14,
  [Op.channel]: 16,
  [Op.message]: MESSAGE_PREFIX_BYTES,
  [Op.chunk]: CHUNK_PREFIX_BYTES + 12,
  [Op.messageIndex]: 6,
  [Op.metadata]: 8,
  [Op.dataEnd]: 4,
};

/** Looks at a damaged file: is there a record here, and where does the next one begin? */
export class RecordProbe {
  #plainSeen = false;
  #chunkSeen = false;

  constructor(
    readonly readable: Readable,
    readonly size: number,
    readonly limits: McapLimits,
    readonly definitions: () => Definitions,
  ) {}

  /** Records outside of chunks were found. */
  sawPlain(): void {
    this.#plainSeen = true;
  }

  sawChunk(): void {
    this.#chunkSeen = true;
  }

  async head(at: number): Promise<RecordHead | undefined> {
    if (at + RECORD_HEADER_BYTES > this.size) return undefined;
    const bytes = await this.#bytes(at, RECORD_HEADER_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = Number(view.getBigUint64(1, true));
    return { opcode: view.getUint8(0), length, next: at + RECORD_HEADER_BYTES + length };
  }

  async magicAt(at: number): Promise<boolean> {
    if (at + MAGIC.length > this.size) return false;
    return Buffer.compare(await this.#bytes(at, MAGIC.length), MAGIC) === 0;
  }

  /** True if the record has the form of a chunk and its two lengths agree, for any opcode. */
  async isChunk(at: number, head: RecordHead): Promise<boolean> {
    if (head.next > this.size) return false;
    const header = await this.#chunkHeader(at, head);
    return header !== undefined && header.prefixBytes + Number(header.recordsBytes) === head.length;
  }

  /** The same for a record with another opcode: a private record is a chunk only if its CRC matches. */
  async isMarredChunk(at: number, head: RecordHead): Promise<boolean> {
    if (!(await this.isChunk(at, head))) return false;
    const header = present(await this.#chunkHeader(at, head));
    return header.startTime <= header.endTime && (header.crc !== 0 || !isUnknown(head.opcode));
  }

  async #chunkHeader(at: number, head: RecordHead): Promise<ChunkHeader | undefined> {
    const contentAt = at + RECORD_HEADER_BYTES;
    if (head.length < (LEAST_BYTES[Op.chunk] ?? 0)) return undefined;
    try {
      const there = Math.min(head.length, CHUNK_HEADER_MAX_BYTES, this.size - contentAt);
      const header = parseChunkHeader(await this.#bytes(contentAt, there));
      return /^[a-z0-9]*$/.test(header.compression) ? header : undefined;
    } catch (error) {
      if (error instanceof RecordError) return undefined;
      throw error;
    }
  }

  /**
   * True if the bytes at `at` can follow a record that is trusted only because of them: another record (also
   * one cut by the end of the file), the closing magic, or the end of the file.
   */
  async follows(at: number, more = FOLLOWERS): Promise<boolean> {
    if (at === this.size || (at === this.size - MAGIC.length && (await this.magicAt(at)))) return true;
    const head = await this.head(at);
    if (head === undefined) return false;
    const next = (): Promise<boolean> =>
      head.next > this.size
        ? Promise.resolve(false)
        : more === 0
          ? Promise.resolve(true)
          : this.follows(head.next, more - 1);
    if (isUnknown(head.opcode)) return next();
    if (head.opcode === Op.chunk) {
      const header = await this.#chunkHeader(at, head);
      if (header === undefined) return false;
      const known = header.prefixBytes + Number(header.recordsBytes);
      return known === head.length || (known < head.length && next());
    }
    if (head.opcode !== Op.message) return this.hasForm(at, head);
    if (head.length < MESSAGE_PREFIX_BYTES || head.length > this.limits.maxRecordBytes) return false;
    const there = at + RECORD_HEADER_BYTES + 2 <= this.size;
    const id = there ? new FieldReader(await this.#bytes(at + RECORD_HEADER_BYTES, 2)).uint16() : undefined;
    return id !== undefined && this.definitions().channel(id) !== undefined;
  }

  /** True if the content has the form of its opcode; for large contents only the head is checked. */
  async hasForm(at: number, head: RecordHead): Promise<boolean> {
    if (head.next > this.size) return false;
    const contentAt = at + RECORD_HEADER_BYTES;
    try {
      if (head.opcode === Op.chunk) return await this.isChunk(at, head);
      if (head.opcode === Op.attachment) return await this.#isAttachment(contentAt, head.length);
      if (head.opcode === Op.message) {
        if (head.length < MESSAGE_PREFIX_BYTES || head.length > this.limits.maxRecordBytes) return false;
        const id = new FieldReader(await this.#bytes(contentAt, 2)).uint16();
        return this.definitions().channel(id) !== undefined;
      }
      if (head.length > FORM_MAX_BYTES) return false;
      checkForm(head.opcode, await this.#bytes(contentAt, head.length));
      return true;
    } catch (error) {
      if (error instanceof RecordError) return false;
      throw error;
    }
  }

  async #isAttachment(contentAt: number, length: number): Promise<boolean> {
    const fields = new FieldReader(await this.#bytes(contentAt, Math.min(length, FORM_MAX_BYTES)));
    fields.bytes(16);
    fields.string();
    fields.string();
    const data = Number(fields.uint64());
    const known = fields.position + data + 4;
    return known === length || (known < length && (await this.follows(contentAt + length)));
  }

  /** True if a record, the closing magic or the end of the file is at `at`. */
  async isBoundary(at: number): Promise<boolean> {
    if (at === this.size) return true;
    if (at === this.size - MAGIC.length && (await this.magicAt(at))) return true;
    const head = await this.head(at);
    return head !== undefined && this.#allowed(head.opcode) && (await this.hasForm(at, head));
  }

  /**
   * A chunk with a wrong CRC contains whole messages too; those must not count as records of the file. So the
   * search accepts messages only in a file that had them outside of chunks and has no chunks.
   */
  #allowed(opcode: number): boolean {
    const plain = opcode === Op.schema || opcode === Op.channel || opcode === Op.message;
    return !plain || (this.#plainSeen && !this.#chunkSeen);
  }

  /** The first place from `from` on where records continue, or the end of the file. */
  async search(from: number, signal?: AbortSignal): Promise<number> {
    for (let start = from; start + RECORD_HEADER_BYTES <= this.size;) {
      signal?.throwIfAborted();
      const bytes = await this.#bytes(start, Math.min(SEARCH_WINDOW_BYTES, this.size - start));
      const last = bytes.byteLength - RECORD_HEADER_BYTES;
      for (let i = 0; i <= last; i++) {
        if (this.#mayBegin(bytes, i) && (await this.#chainBegins(start + i))) return start + i;
      }
      start += last + 1;
    }
    return this.size;
  }

  /** The cheap part of the test, run at every byte. */
  #mayBegin(bytes: Uint8Array, i: number): boolean {
    const least = LEAST_BYTES[bytes[i]!];
    if (least === undefined || !this.#allowed(bytes[i]!)) return false;
    if ((bytes[i + 5]! | bytes[i + 6]! | bytes[i + 7]! | bytes[i + 8]!) !== 0) return false;
    const length = bytes[i + 1]! + (bytes[i + 2]! << 8) + (bytes[i + 3]! << 16) + bytes[i + 4]! * 0x1000000;
    return length >= least;
  }

  async #chainBegins(at: number): Promise<boolean> {
    for (let i = 0, place = at; i < CHAIN; i++) {
      const head = await this.head(place);
      if (head === undefined || !this.#allowed(head.opcode) || !(await this.hasForm(place, head)))
        return false;
      // The lengths of a chunk agree in 64 bits, and a footer ends with the magic: neither happens by chance.
      if (head.opcode === Op.chunk) return true;
      if (head.opcode === Op.footer) return this.magicAt(head.next);
      if (head.next === this.size) return true;
      place = head.next;
    }
    return true;
  }

  #bytes(at: number, length: number): Promise<Uint8Array> {
    return this.readable.read(BigInt(at), BigInt(length));
  }
}
