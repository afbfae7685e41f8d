import { dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { makeDirectoryDurably, syncDirectory, syncFile } from '../core/durable-files.js';
import { HoldfastError } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import type { Schema } from '../core/message.js';
import type { SegmentId } from '../core/segment-id.js';
import { chainStart, type BatchLink, type EncodedBatch } from './batch-codec.js';
import {
  BLOB_FILE,
  batchKey,
  blobValue,
  clockKey,
  definitionKey,
  gapKey,
  inlineValue,
  pack,
  plainKey,
  segmentStamp,
  type ChannelEntry,
  type ClockStep,
  type SegmentEnd,
  type SegmentMeta,
} from './segment-format.js';

/**
 * Batches up to this size lie in LevelDB, larger ones in the blob file. Measured: at 64 KiB one LevelDB put
 * is as fast as a blob append plus its fsync; at 256 KiB the blob is 4 times faster.
 */
export const INLINE_MAX_BYTES = 64 * 1024;
/** Inline bytes one segment may hold, since LevelDB keeps them in memory; then every batch goes to the blob. */
const INLINE_TOTAL_BYTES = 8 * 1024 * 1024;
/**
 * LevelDB starts a new log (and rewrites the old one into a table) when its memory passes this: never, here.
 * It is a limit and not an allocation; a gigabyte is the most LevelDB accepts. A segment stays far below by
 * {@link CONTENT_MAX_BYTES} and {@link DEFINITIONS_MAX_BYTES}, even where one commit passes them at once.
 */
const WRITE_BUFFER_BYTES = 1024 * 1024 * 1024;
/** Batches and gaps in LevelDB's memory, after which the segment reports itself full. */
const CONTENT_MAX_BYTES = 24 * 1024 * 1024;
/** The same for channels and schemas, which every segment must hold whatever they weigh. */
const DEFINITIONS_MAX_BYTES = 256 * 1024 * 1024;

type Level = ClassicLevel<Buffer, Buffer>;
type Put = { type: 'put'; key: Buffer; value: Buffer };

/** What one commit writes beside its batch, all in the same atomic LevelDB write. */
export interface CommitExtras {
  readonly schemas: readonly { readonly id: number; readonly schema: Schema }[];
  readonly channels: readonly { readonly id: number; readonly channel: ChannelEntry }[];
  readonly gaps: readonly Gap[];
  readonly clockSteps: readonly ClockStep[];
  /** Only with the first commit of a segment. */
  readonly meta?: SegmentMeta;
  readonly carried?: EncodedBatch;
}

/** A commit whose large parts are with the operating system; not durable, and nothing refers to them yet. */
export interface StagedCommit {
  readonly batch: EncodedBatch | undefined;
  readonly definitions: readonly Put[];
  readonly puts: readonly Put[];
  /** Bytes of the batch in the blob. */
  readonly blobBytes: number;
}

/**
 * Writes one WAL segment: one LevelDB directory with one log that never rotates, and one blob file. Created
 * once, never opened a second time: reading is `SegmentReader`'s. After a failed write nothing more is
 * written; the caller closes it and goes on in another segment.
 */
export class SegmentWriter {
  /** Everything on disk. */
  bytes = 0;
  /** Without what every segment begins with (identity, channels, carried messages): what makes it roll. */
  contentBytes = 0;
  records = 0;
  private readonly stamp: Put;
  private contentInLevel = 0;
  private definitionBytes = 0;
  private inlineBytes = 0;
  private blobBytes = 0;
  /** How much of the blob an fsync covers. */
  private blobSynced = 0;
  /** Appends to the blob, one after the other. */
  private blobTail: Promise<unknown> = Promise.resolve();
  /** Of the last batch staged. */
  private link: BatchLink = chainStart;
  /** Of the last batch committed. */
  private committedLink: BatchLink = chainStart;
  private failed: unknown;
  private closed = false;

  private constructor(
    readonly directory: string,
    id: SegmentId,
    private readonly level: Level,
    private readonly blob: FileHandle,
    private readonly inlineMaxBytes: number,
  ) {
    this.stamp = { type: 'put', key: plainKey('stamp'), value: segmentStamp(id) };
  }

  /**
   * Creates the directory and makes every entry in it durable before the first acknowledgement can depend
   * on it. Batches above `inlineMaxBytes` (default: the measured {@link INLINE_MAX_BYTES}) go to the blob.
   * Throws what the disk says.
   */
  static async create(
    fs: FileSystem,
    directory: string,
    id: SegmentId,
    inlineMaxBytes = INLINE_MAX_BYTES,
  ): Promise<SegmentWriter> {
    await makeDirectoryDurably(fs, dirname(directory));
    const level: Level = new ClassicLevel(directory, {
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
      // LevelDB syncs neither its CURRENT nor the directory. Its LOCK is left alone: closing any
      // descriptor of it would drop the lock.
      for (const name of await fs.readdir(directory)) {
        if (name !== 'LOCK') await syncFile(fs, join(directory, name));
      }
      await syncDirectory(fs, directory);
      await syncDirectory(fs, dirname(directory));
      return new SegmentWriter(directory, id, level, blob, inlineMaxBytes);
    } catch (error) {
      await blob?.close().catch(() => undefined);
      await level.close().catch(() => undefined);
      throw error;
    }
  }

  /** The chain's end: what the next batch must be encoded with. */
  get lastLink(): BatchLink {
    return this.link;
  }

  /** No further batch should go here, whatever the configured segment size. */
  get full(): boolean {
    return this.contentInLevel >= CONTENT_MAX_BYTES || this.definitionBytes >= DEFINITIONS_MAX_BYTES;
  }

  /**
   * Appends one commit; durable when it resolves with `sync`, else handed to the operating system. The batch
   * may be empty of records (undefined) when only gaps are to be written.
   */
  async append(batch: EncodedBatch | undefined, extras: CommitExtras, sync: boolean): Promise<void> {
    await this.commit(await this.stage(batch, extras), sync);
  }

  /**
   * Writes what of a commit lies in the blob, which may be done while the commit before it is being synced.
   * Staged commits are to be committed in the same order, all of them, or the segment is to be closed.
   */
  async stage(batch: EncodedBatch | undefined, extras: CommitExtras): Promise<StagedCommit> {
    this.assertUsable();
    const link = (batch ?? extras.carried)?.link;
    if (link) this.link = link;
    try {
      const definitions = definitionPuts(extras);
      if (extras.carried) definitions.push((await this.place(plainKey('carried'), extras.carried)).put);
      const placed = batch && (await this.place(batchKey(batch.link.firstSequence), batch));
      const puts: Put[] = placed ? [placed.put] : [];
      for (const gap of extras.gaps) puts.push({ type: 'put', key: gapKey(gap), value: pack(gap) });
      for (const step of extras.clockSteps) {
        puts.push({ type: 'put', key: clockKey(BigInt(step.at)), value: pack(step) });
      }
      return { batch, definitions, puts, blobBytes: placed?.blobBytes ?? 0 };
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Makes a staged commit part of the segment. */
  async commit({ batch, definitions, puts, blobBytes }: StagedCommit, sync: boolean): Promise<void> {
    try {
      // Blob before reference, or a crash leaves a reference to bytes that never reached the disk.
      if (sync) await this.syncBlob();
      await this.put([...definitions, ...puts], sync);
      this.definitionBytes += sizeOf(definitions);
      this.contentInLevel += sizeOf(puts);
      this.contentBytes += sizeOf(puts) + blobBytes;
      if (!batch) return;
      this.records += batch.count;
      this.committedLink = batch.link;
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Makes everything appended without `sync` durable. */
  async sync(): Promise<void> {
    this.assertUsable();
    try {
      await this.syncBlob();
      await this.put([{ type: 'put', key: plainKey('sync'), value: Buffer.alloc(0) }], true);
    } catch (error) {
      throw this.fail(error);
    }
  }

  /**
   * Ends the segment: writes its end mark durably (unless a write failed before) and closes the files.
   * Idempotent. Returns whether the end mark is durable.
   */
  async close(lastSequence: number): Promise<boolean> {
    if (this.closed) return false;
    let marked = false;
    if (this.failed === undefined && this.bytes > 0) {
      const end: SegmentEnd = { lastSequence, records: this.records, link: this.committedLink };
      try {
        await this.syncBlob();
        await this.put([{ type: 'put', key: plainKey('end'), value: pack(end) }], true);
        marked = true;
      } catch (error) {
        // Without its mark the segment counts as ended uncleanly, which is the truth.
        this.failed = error;
      }
    }
    this.closed = true;
    await Promise.allSettled([this.blobTail, this.level.close()]);
    await this.blob.close().catch(() => undefined);
    return marked;
  }

  private assertUsable(): void {
    if (this.closed) throw new HoldfastError('WAL_CLOSED', `WAL segment ${this.directory} is closed`);
    if (this.failed !== undefined) throw this.fail(this.failed);
  }

  private fail(error: unknown): HoldfastError {
    this.failed = error;
    if (error instanceof HoldfastError) return error;
    return new HoldfastError('WAL_WRITE_FAILED', `WAL segment ${this.directory} cannot be written`, {
      cause: error,
    });
  }

  private async put(puts: Put[], sync: boolean): Promise<void> {
    const stamped = [this.stamp, ...puts];
    await this.level.batch(stamped, { sync });
    this.bytes += sizeOf(stamped);
  }

  private async place(key: Buffer, batch: EncodedBatch): Promise<{ put: Put; blobBytes: number }> {
    const inline = batch.bytes <= this.inlineMaxBytes && this.inlineBytes + batch.bytes <= INLINE_TOTAL_BYTES;
    if (inline) {
      this.inlineBytes += batch.bytes;
      return { put: { type: 'put', key, value: inlineValue(batch.head, batch.payloads) }, blobBytes: 0 };
    }
    const written = this.blobTail.then(() => this.writeBlob([batch.head, ...batch.payloads], batch.bytes));
    this.blobTail = written.catch(() => undefined);
    const offset = await written;
    const value = blobValue({ offset, bytes: batch.bytes, crc: batch.link.crc });
    return { put: { type: 'put', key, value }, blobBytes: batch.bytes };
  }

  /** Returns where it begins. */
  private async writeBlob(pieces: readonly Uint8Array[], bytes: number): Promise<number> {
    // Behind an append that failed halfway nothing would stand where it is said to.
    if (this.failed !== undefined) throw this.fail(this.failed);
    const offset = this.blobBytes;
    let rest = pieces;
    for (let left = bytes; left > 0;) {
      const { bytesWritten } = await this.blob.writev(rest);
      left -= bytesWritten;
      this.blobBytes += bytesWritten;
      this.bytes += bytesWritten;
      if (left > 0) rest = skipBytes(rest, bytesWritten);
    }
    return offset;
  }

  private async syncBlob(): Promise<void> {
    // What is written while it runs, it may miss.
    const bytes = this.blobBytes;
    if (this.blobSynced >= bytes) return;
    await this.blob.datasync();
    this.blobSynced = bytes;
  }
}

function definitionPuts(extras: CommitExtras): Put[] {
  const puts: Put[] = [];
  if (extras.meta) puts.push({ type: 'put', key: plainKey('meta'), value: pack(extras.meta) });
  for (const { id, schema } of extras.schemas) {
    puts.push({ type: 'put', key: definitionKey('schema', id), value: pack(schema) });
  }
  for (const { id, channel } of extras.channels) {
    puts.push({ type: 'put', key: definitionKey('channel', id), value: pack(channel) });
  }
  return puts;
}

function sizeOf(puts: readonly Put[]): number {
  return puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

/** What is left of a vector after a short write. */
function skipBytes(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    if (skip >= piece.byteLength) skip -= piece.byteLength;
    else {
      rest.push(skip > 0 ? piece.subarray(skip) : piece);
      skip = 0;
    }
  }
  return rest;
}
