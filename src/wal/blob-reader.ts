import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { TAG_BYTES } from '../encryption/derive.js';
import { BATCH_PREFIX_BYTES, decodeColumns, decodePrefix, type BatchPrefix } from './batch-codec.js';
import { frameBytes, PART_BYTES, SEALED_PREFIX_BYTES } from './blob-frame.js';
import type { SegmentCipher } from './segment-cipher.js';
import { BLOB_FILE, type BlobReference } from './segment-format.js';

/** Read at once if less is wanted: batches of small messages lie in sequence, and each reading costs 20 to 50 us. */
const AHEAD_BYTES = 1024 * 1024;

/** A batch without its payloads. */
interface Head {
  readonly prefix: BatchPrefix;
  /** Prefix and header. */
  readonly bytes: Buffer;
}

/** Reads batches out of a segment's blob file. A segment without a blob file has a blob of 0 bytes. */
export class BlobReader {
  /** Of an encrypted segment. Set it before anything is read. */
  cipher: SegmentCipher | undefined;
  #scratch = Buffer.alloc(0);
  /** Part of the file in the scratch. */
  #from = 0;
  #to = 0;
  /** A decrypted batch. */
  #plain = Buffer.alloc(0);
  /** End of the last batch the log refers to. */
  #referencedBytes = 0;

  readonly #file: FileHandle | undefined;
  readonly #size: number;
  readonly #fault: (where: string, what: string) => void;

  private constructor(
    file: FileHandle | undefined,
    size: number,
    fault: (where: string, what: string) => void,
  ) {
    this.#file = file;
    this.#size = size;
    this.#fault = fault;
  }

  /** @param fault - Receives damaged payloads of an encrypted batch, which read as zeros. */
  static async open(
    fs: FileSystem,
    directory: string,
    exists: boolean,
    fault: (where: string, what: string) => void = () => undefined,
  ): Promise<BlobReader> {
    if (!exists) return new BlobReader(undefined, 0, fault);
    const file = await fs.open(join(directory, BLOB_FILE), 'r');
    try {
      return new BlobReader(file, (await file.stat()).size, fault);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  /** A batch's bytes, valid until the next call; without `payloads` only its head. */
  async read({ offset, bytes }: BlobReference, payloads: boolean): Promise<Buffer> {
    this.#referencedBytes = Math.max(this.#referencedBytes, offset + bytes);
    if (offset + bytes > this.#size) throw new Error(`blob ends at ${this.#size}, before ${offset + bytes}`);
    if (!payloads) return (await this.#head(offset, bytes)).bytes;
    return this.cipher ? this.#decrypted(this.cipher, offset, bytes) : this.#readExactly(offset, bytes);
  }

  /** Bytes of a batch in this file. */
  bytesOf(prefix: BatchPrefix): number {
    if (this.cipher) return frameBytes(prefix);
    return BATCH_PREFIX_BYTES + prefix.headerBytes + prefix.payloadBytes;
  }

  /** Whole batches after the last one the log refers to: commits whose log write is missing. */
  async unreferencedBatches(): Promise<BatchPrefix[]> {
    const found: BatchPrefix[] = [];
    for (let at = this.#referencedBytes; at + BATCH_PREFIX_BYTES <= this.#size;) {
      let prefix: BatchPrefix;
      try {
        prefix = decodePrefix(await this.#prefixBytes(at, this.#size - at));
        if (at + this.bytesOf(prefix) > this.#size) break;
        decodeColumns((await this.#head(at, this.#size - at)).bytes, prefix);
      } catch {
        // Not a batch: the unfinished append at which this search is expected to end.
        break;
      }
      found.push(prefix);
      at += this.bytesOf(prefix);
    }
    return found;
  }

  get unreferencedBytes(): number {
    return Math.max(0, this.#size - this.#referencedBytes);
  }

  /** The prefix of the batch at an offset, which has at most `limit` bytes. Valid until the next reading. */
  async #prefixBytes(offset: number, limit: number): Promise<Buffer> {
    if (!this.cipher) return this.#readExactly(offset, Math.min(limit, BATCH_PREFIX_BYTES));
    return this.#part(this.cipher, offset, Math.min(limit, SEALED_PREFIX_BYTES));
  }

  async #head(offset: number, limit: number): Promise<Head> {
    const start = await this.#prefixBytes(offset, limit);
    const prefix = decodePrefix(start);
    const { headerBytes } = prefix;
    if (!this.cipher) {
      const bytes = await this.#readExactly(offset, Math.min(limit, BATCH_PREFIX_BYTES + headerBytes));
      return { prefix, bytes };
    }
    const sealed = Math.min(limit - SEALED_PREFIX_BYTES, headerBytes + TAG_BYTES);
    const header = await this.#part(this.cipher, offset + SEALED_PREFIX_BYTES, sealed);
    return { prefix, bytes: Buffer.concat([start, header]) };
  }

  /** A whole batch of an encrypted segment. Payloads in a damaged part are zeros, so they fail their CRC. */
  async #decrypted(cipher: SegmentCipher, offset: number, bytes: number): Promise<Buffer> {
    const { prefix, bytes: head } = await this.#head(offset, bytes);
    // Checked before allocating, as a damaged length.
    if (frameBytes(prefix) !== bytes)
      throw new Error(`blob at ${offset} is not as long as its reference says`);
    const total = head.length + prefix.payloadBytes;
    if (this.#plain.length < total) this.#plain = Buffer.allocUnsafeSlow(total);
    head.copy(this.#plain);
    let from = offset + SEALED_PREFIX_BYTES + prefix.headerBytes + TAG_BYTES;
    for (let at = head.length; at < total;) {
      const plain = Math.min(PART_BYTES, total - at);
      const sealed = await this.#readExactly(from, plain + TAG_BYTES);
      if (!cipher.openPart(from, sealed, this.#plain.subarray(at, at + plain))) {
        this.#fault(`${BLOB_FILE} at ${from}`, `${plain} bytes of payloads are not what was encrypted`);
      }
      at += plain;
      from += plain + TAG_BYTES;
    }
    return this.#plain.subarray(0, total);
  }

  /** Decrypts a part of the file of so many bytes. */
  async #part(cipher: SegmentCipher, offset: number, bytes: number): Promise<Buffer> {
    if (bytes < TAG_BYTES) throw new Error(`blob at ${offset} has no whole part of a batch`);
    const sealed = await this.#readExactly(offset, bytes);
    const plain = Buffer.alloc(bytes - TAG_BYTES);
    if (!cipher.openPart(offset, sealed, plain)) {
      throw new Error(`blob at ${offset} is not what was encrypted`);
    }
    return plain;
  }

  async #readExactly(offset: number, bytes: number): Promise<Buffer> {
    // Checked before allocating: a damaged length must not ask for gigabytes.
    const file = this.#file;
    if (!file || offset + bytes > this.#size) throw new Error(`blob ends at ${this.#size}`);
    if (offset < this.#from || offset + bytes > this.#to) {
      const ahead = Math.min(AHEAD_BYTES, this.#size - offset);
      if (bytes >= ahead) await this.#fill(file, offset, bytes);
      // A fault of the disk behind these bytes must not make them unreadable.
      else await this.#fill(file, offset, ahead).catch(() => this.#fill(file, offset, bytes));
    }
    return this.#scratch.subarray(offset - this.#from, offset - this.#from + bytes);
  }

  async #fill(file: FileHandle, offset: number, bytes: number): Promise<void> {
    this.#to = this.#from = offset;
    if (this.#scratch.length < bytes) this.#scratch = Buffer.allocUnsafeSlow(bytes);
    const target = this.#scratch.subarray(0, bytes);
    for (let at = 0; at < bytes;) {
      const { bytesRead } = await file.read(target, at, bytes - at, offset + at);
      if (bytesRead === 0) throw new Error(`blob ends at ${offset + at}`);
      at += bytesRead;
    }
    this.#to = offset + bytes;
  }
}
