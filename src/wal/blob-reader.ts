import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { BATCH_PREFIX_BYTES, decodeColumns, decodePrefix, type BatchPrefix } from './batch-codec.js';
import { BLOB_FILE, type BlobReference } from './segment-format.js';

/** Read at once if less is wanted: batches of small messages lie in sequence. */
const AHEAD_BYTES = 256 * 1024;

/** Reads batches out of a segment's blob file. A segment without a blob file has a blob of 0 bytes. */
export class BlobReader {
  #scratch = Buffer.alloc(0);
  /** Part of the file in the scratch. */
  #from = 0;
  #to = 0;
  /** End of the last batch the log refers to. */
  #referencedBytes = 0;

  readonly #file: FileHandle | undefined;
  readonly #size: number;

  private constructor(file: FileHandle | undefined, size: number) {
    this.#file = file;
    this.#size = size;
  }

  static async open(fs: FileSystem, directory: string, exists: boolean): Promise<BlobReader> {
    if (!exists) return new BlobReader(undefined, 0);
    const file = await fs.open(join(directory, BLOB_FILE), 'r');
    try {
      return new BlobReader(file, (await file.stat()).size);
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
    if (payloads) return this.#readExactly(offset, bytes);
    const prefix = decodePrefix(await this.#readExactly(offset, Math.min(bytes, BATCH_PREFIX_BYTES)));
    return this.#readExactly(offset, Math.min(bytes, BATCH_PREFIX_BYTES + prefix.headerBytes));
  }

  /** Whole batches after the last one the log refers to: commits whose log write is missing. */
  async unreferencedBatches(): Promise<BatchPrefix[]> {
    const found: BatchPrefix[] = [];
    for (let at = this.#referencedBytes; at + BATCH_PREFIX_BYTES <= this.#size;) {
      let prefix: BatchPrefix;
      try {
        prefix = decodePrefix(await this.#readExactly(at, BATCH_PREFIX_BYTES));
        const headBytes = BATCH_PREFIX_BYTES + prefix.headerBytes;
        if (at + headBytes + prefix.payloadBytes > this.#size) break;
        decodeColumns(await this.#readExactly(at, headBytes), prefix);
      } catch {
        // Not a batch: the unfinished append at which this search is expected to end.
        break;
      }
      found.push(prefix);
      at += BATCH_PREFIX_BYTES + prefix.headerBytes + prefix.payloadBytes;
    }
    return found;
  }

  get unreferencedBytes(): number {
    return Math.max(0, this.#size - this.#referencedBytes);
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
