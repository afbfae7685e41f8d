import { dirname, join } from 'node:path';
import { Level } from 'level';
import { makeDirectoryDurably, syncDirectory, syncFile } from '../core/durable-files.js';
import { HoldfastError } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import type { SegmentId } from '../core/segment-id.js';
import { AppendFile } from './append-file.js';
import { chainStart, type BatchLink, type EncodedBatch } from './batch-codec.js';
import { sealFrame } from './blob-frame.js';
import { encodeExtras, type CommitExtras, type Put } from './commit-extras.js';
import { WriteSealer } from './encrypted-write.js';
import { ObjectAppender } from './object-appender.js';
import { KEY_FILE, type SegmentCipher } from './segment-cipher.js';
import {
  BLOB_FILE,
  batchKey,
  blobValue,
  inlineValue,
  pack,
  plainKey,
  segmentStamp,
  type SegmentEnd,
} from './segment-format.js';

/**
 * Batches up to this size lie in LevelDB, larger ones in the blob file. Measured: at 64 KiB, one LevelDB put
 * is as fast as a blob append plus its fsync; at 256 KiB the blob is 4 times faster.
 */
export const INLINE_MAX_BYTES = 64 * 1024;
/**
 * Maximum of inline bytes in one segment, because LevelDB keeps them in memory; beyond it every batch goes to
 * the blob.
 */
const INLINE_TOTAL_BYTES = 8 * 1024 * 1024;
/**
 * Beyond this size of its memory, LevelDB starts a new log and rewrites the old one into a table, which must
 * never happen here. It is a limit, not an allocation; LevelDB accepts at most a gigabyte. {@link
 * CONTENT_MAX_BYTES} and {@link DEFINITIONS_MAX_BYTES} keep a segment far below it, even if one commit passes
 * both at once.
 */
const WRITE_BUFFER_BYTES = 1024 * 1024 * 1024;
/** Maximum of batches and gaps in LevelDB's memory; beyond it the segment reports that it is full. */
const CONTENT_MAX_BYTES = 24 * 1024 * 1024;
/** The same for channels and schemas, which every segment must hold at any size. */
const DEFINITIONS_MAX_BYTES = 256 * 1024 * 1024;

type Database = Level<Buffer, Buffer>;

/**
 * A commit whose large parts were written to the operating system. It is not durable, and nothing refers to
 * it yet.
 */
export interface StagedCommit {
  readonly batch: EncodedBatch | undefined;
  readonly definitions: readonly Put[];
  readonly puts: readonly Put[];
  /** Bytes of the batch in the blob and in object files. */
  readonly fileBytes: number;
}

/**
 * Writes one WAL segment: one LevelDB directory with one log that never rotates, and one blob file. It is
 * created once and never opened again; `SegmentReader` reads it. After a failed write, nothing more is
 * written: the caller closes it and continues in another segment.
 */
export class SegmentWriter {
  /** Everything on disk. */
  bytes = 0;
  /**
   * Without the start of every segment (identity, channels, carried messages): the size that decides about
   * the roll.
   */
  contentBytes = 0;
  records = 0;
  readonly #stamp: Put;
  #contentInLevel = 0;
  #definitionBytes = 0;
  #inlineBytes = 0;
  /** Appends to the blob and the object files, one at a time. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Of the last batch staged. */
  #link: BatchLink = chainStart;
  /** Of the last committed batch. */
  #committedLink: BatchLink = chainStart;
  #failed: unknown;
  #closed = false;

  readonly #level: Database;
  readonly #blob: AppendFile;
  readonly #objects: ObjectAppender;
  readonly #inlineMaxBytes: number;
  readonly #sealer: WriteSealer | undefined;

  private constructor(
    fs: FileSystem,
    readonly directory: string,
    id: SegmentId,
    level: Database,
    blob: FileHandle,
    inlineMaxBytes: number,
    cipher: SegmentCipher | undefined,
  ) {
    this.#level = level;
    this.#blob = new AppendFile(blob);
    this.#objects = new ObjectAppender(fs, directory);
    this.#inlineMaxBytes = inlineMaxBytes;
    this.#stamp = { type: 'put', key: plainKey('stamp'), value: segmentStamp(id) };
    this.#sealer = cipher && new WriteSealer(cipher, this.#stamp.value);
  }

  /**
   * Creates the directory and makes all its entries durable before the first acknowledgement can depend on
   * them. Batches above `inlineMaxBytes` (default: the measured {@link INLINE_MAX_BYTES}) go to the blob. With
   * a cipher, which no other segment may have, everything is encrypted, and no batch may have chunks for object
   * files. Throws the error of the disk.
   */
  static async create(
    fs: FileSystem,
    directory: string,
    id: SegmentId,
    inlineMaxBytes = INLINE_MAX_BYTES,
    cipher?: SegmentCipher,
  ): Promise<SegmentWriter> {
    await makeDirectoryDurably(fs, dirname(directory));
    const level: Database = new Level(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      createIfMissing: true,
      errorIfExists: true,
      compression: false,
      writeBufferSize: WRITE_BUFFER_BYTES,
    });
    await level.open();
    let blob: FileHandle | undefined;
    try {
      blob = await fs.open(join(directory, BLOB_FILE), 'ax');
      if (cipher) await writeNew(fs, join(directory, KEY_FILE), cipher.wrapped);
      // LevelDB syncs neither its CURRENT nor the directory. Its LOCK stays untouched: closing any descriptor
      // of it would drop the lock.
      for (const name of await fs.readdir(directory)) {
        if (name !== 'LOCK') await syncFile(fs, join(directory, name));
      }
      await syncDirectory(fs, directory);
      await syncDirectory(fs, dirname(directory));
      return new SegmentWriter(fs, directory, id, level, blob, inlineMaxBytes, cipher);
    } catch (error) {
      await blob?.close().catch(() => undefined);
      await level.close().catch(() => undefined);
      throw error;
    }
  }

  get isEncrypted(): boolean {
    return this.#sealer !== undefined;
  }

  /** The end of the chain: the next batch must be encoded with it. */
  get lastLink(): BatchLink {
    return this.#link;
  }

  /** No further batch should go here, at any configured segment size. */
  get full(): boolean {
    return this.#contentInLevel >= CONTENT_MAX_BYTES || this.#definitionBytes >= DEFINITIONS_MAX_BYTES;
  }

  /**
   * Appends one commit. With `sync` it is durable when this resolves, otherwise the operating system has it.
   * The batch may be undefined if only gaps are written.
   */
  async append(batch: EncodedBatch | undefined, extras: CommitExtras, sync: boolean): Promise<void> {
    await this.commit(await this.stage(batch, extras), sync);
  }

  /**
   * Writes the blob part of a commit, which is possible while the previous commit is being synced. The caller
   * must commit all staged commits in the same order, or close the segment.
   */
  async stage(batch: EncodedBatch | undefined, extras: CommitExtras): Promise<StagedCommit> {
    this.#assertUsable();
    // Before anything is written: a value that cannot be encoded is not a fault of the disk.
    const { definitions, notes } = encodeExtras(extras);
    const link = (batch ?? extras.carried)?.link;
    if (link) this.#link = link;
    try {
      const placing = batch && this.#appendChunks(batch);
      // Another part may fail first; then its error is the one to report.
      placing?.catch(() => undefined);
      if (extras.carried) definitions.push((await this.#place(plainKey('carried'), extras.carried)).put);
      const placed = batch && (await this.#place(batchKey(batch.link.firstSequence), batch));
      const objectBytes = (await placing) ?? 0;
      const puts: Put[] = placed ? [placed.put, ...notes] : notes;
      return { batch, definitions, puts, fileBytes: (placed?.blobBytes ?? 0) + objectBytes };
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Makes a staged commit part of the segment. */
  async commit({ batch, definitions, puts, fileBytes }: StagedCommit, sync: boolean): Promise<void> {
    try {
      // Payloads before reference, or a crash leaves a reference to bytes that never reached the disk.
      if (sync) await this.#syncFiles();
      await this.#put([...definitions, ...puts], sync);
      this.#definitionBytes += sizeOf(definitions);
      this.#contentInLevel += sizeOf(puts);
      this.contentBytes += sizeOf(puts) + fileBytes;
      if (!batch) return;
      this.records += batch.count;
      this.#committedLink = batch.link;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Makes everything appended without `sync` durable. */
  async sync(): Promise<void> {
    this.#assertUsable();
    try {
      await this.#syncFiles();
      await this.#put([{ type: 'put', key: plainKey('sync'), value: Buffer.alloc(0) }], true);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /**
   * Ends the segment: writes its end mark durably (unless a write failed before) and closes the files.
   * Idempotent. Returns whether the end mark is durable.
   */
  async close(lastSequence: number): Promise<boolean> {
    if (this.#closed) return false;
    let marked = false;
    if (this.#failed === undefined && this.bytes > 0) {
      const end: SegmentEnd = { lastSequence, records: this.records, link: this.#committedLink };
      try {
        await this.#syncFiles();
        await this.#put([{ type: 'put', key: plainKey('end'), value: pack(end) }], true);
        marked = true;
      } catch (error) {
        // Without its mark the segment counts as uncleanly ended, which is correct.
        this.#failed = error;
      }
    }
    this.#closed = true;
    await Promise.allSettled([this.#tail, this.#level.close()]);
    await this.#blob.close();
    await this.#objects.close();
    return marked;
  }

  #assertUsable(): void {
    if (this.#closed) throw new HoldfastError('WAL_CLOSED', `WAL segment ${this.directory} is closed`);
    if (this.#failed !== undefined) throw this.#fail(this.#failed);
  }

  #fail(error: unknown): HoldfastError {
    this.#failed = error;
    if (error instanceof HoldfastError) return error;
    return new HoldfastError('WAL_WRITE_FAILED', `WAL segment ${this.directory} cannot be written`, {
      cause: error,
    });
  }

  async #put(puts: Put[], sync: boolean): Promise<void> {
    const stamped = [this.#stamp, ...(this.#sealer?.seal(puts) ?? puts)];
    await this.#level.batch(stamped, { sync });
    this.bytes += sizeOf(stamped);
  }

  async #place(key: Buffer, batch: EncodedBatch): Promise<{ put: Put; blobBytes: number }> {
    const inline =
      batch.bytes <= this.#inlineMaxBytes && this.#inlineBytes + batch.bytes <= INLINE_TOTAL_BYTES;
    if (inline) {
      this.#inlineBytes += batch.bytes;
      return { put: { type: 'put', key, value: inlineValue(batch.head, batch.payloads) }, blobBytes: 0 };
    }
    const { offset, bytes } = await this.#inLine(() => this.#appendToBlob(batch));
    return {
      put: { type: 'put', key, value: blobValue({ offset, bytes, crc: batch.link.crc }) },
      blobBytes: bytes,
    };
  }

  /** Returns the number of bytes written. */
  async #appendChunks({ chunks = [] }: EncodedBatch): Promise<number> {
    if (this.#sealer && chunks.length > 0) {
      throw new Error('an encrypted segment has no object files');
    }
    const written = chunks.map(({ chunk, payloads }) =>
      this.#inLine(async () => {
        const bytes = await this.#objects.append(chunk, payloads);
        this.bytes += bytes;
        return bytes;
      }),
    );
    return (await Promise.all(written)).reduce((sum, bytes) => sum + bytes, 0);
  }

  #inLine<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#tail.then(() => {
      // After an append that failed halfway, later offsets would be wrong.
      if (this.#failed !== undefined) throw this.#fail(this.#failed);
      return write();
    });
    this.#tail = written.catch((error: unknown) => {
      this.#failed ??= error;
    });
    return written;
  }

  /** Returns its place. */
  async #appendToBlob({ head, payloads, bytes }: EncodedBatch): Promise<{ offset: number; bytes: number }> {
    const offset = this.#blob.bytes;
    const cipher = this.#sealer?.cipher;
    const pieces = cipher ? sealFrame(cipher, offset, head, payloads) : [head, ...payloads];
    const written = cipher ? pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) : bytes;
    await this.#blob.append(pieces, written);
    this.bytes += written;
    return { offset, bytes: written };
  }

  async #syncFiles(): Promise<void> {
    await Promise.all([this.#blob.sync(), this.#objects.sync()]);
  }
}

/** Writes a file that must not exist. */
async function writeNew(fs: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const handle = await fs.open(path, 'wx');
  try {
    await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
}

/** Bytes of a batch on disk: in the log or the blob, and in object files. */
export function bytesOnDisk({ bytes, chunks = [] }: EncodedBatch): number {
  return chunks.reduce((sum, { chunk }) => sum + chunk.bytes, bytes);
}

function sizeOf(puts: readonly Put[]): number {
  return puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}
