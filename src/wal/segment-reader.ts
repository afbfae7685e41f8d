import { basename, join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import { describeError, isHoldfastError } from '../core/errors.js';
import { isUnreadable } from '../core/durable-files.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import type { Schema } from '../core/message.js';
import type { RobotRecord } from '../core/other-record.js';
import { isSegmentId } from '../core/segment-id.js';
import { BATCH_PREFIX_BYTES, decodeColumns, decodePrefix, type BatchColumns } from './batch-codec.js';
import { BlobReader } from './blob-reader.js';
import { readKeyFile, WriteOpener } from './encrypted-write.js';
import { FaultList, type SegmentFault } from './fault-list.js';
import { readLog } from './leveldb-log.js';
import { objectFileNumber, type ObjectEntry } from './object-file.js';
import { ObjectReader } from './object-reader.js';
import { KEY_FILE, type WalKeys } from './segment-cipher.js';
import {
  BLOB_FILE,
  entryKind,
  parseBatchValue,
  segmentStamp,
  unpack,
  unpackGap,
  unpackOther,
  type ChannelEntry,
  type ClockStep,
  type SegmentChannel,
  type SegmentEnd,
  type SegmentMeta,
} from './segment-format.js';
import { SegmentTally } from './segment-tally.js';
import { parseLevelWrite, type LevelPut, type LevelWrite } from './write-batch.js';

/** A batch as read, with its head verified; {@link payloadIntact} verifies each payload. */
export interface ReadBatch {
  readonly firstSequence: number;
  readonly columns: BatchColumns;
  /**
   * All payloads in order, without those of the object files that the reader leaves out. Valid only until the next
   * entry is requested.
   */
  readonly payload: Buffer;
}

export type SegmentEntry =
  | { readonly kind: 'meta'; readonly meta: SegmentMeta }
  | { readonly kind: 'channel'; readonly id: number; readonly channel: SegmentChannel }
  | { readonly kind: 'object'; readonly number: number; readonly object: ObjectEntry }
  | { readonly kind: 'carried'; readonly batch: ReadBatch }
  | { readonly kind: 'batch'; readonly batch: ReadBatch }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'other'; readonly other: RobotRecord }
  | { readonly kind: 'clock'; readonly step: ClockStep }
  | { readonly kind: 'end'; readonly end: SegmentEnd };

/**
 * `empty`: nothing was ever written. `clean`: ended by the recorder. `unclean`: cut off, with at most one
 * torn append. `corrupt`: committed bytes are damaged; everything readable is still yielded.
 */
export type SegmentState = 'empty' | 'clean' | 'unclean' | 'corrupt';

export interface SegmentReport {
  readonly state: SegmentState;
  readonly faults: readonly SegmentFault[];
  /** Further faults, which are only counted. */
  readonly faultsLeftOut: number;
  readonly records: number;
  /** 0 if there are no records. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Records that are provably missing, by the sequences around them and the end mark. */
  readonly missingRecords: number;
  /** Bytes of an incomplete append at the end. */
  readonly tornBytes: number;
}

/**
 * Reads one WAL segment from its files alone, strictly, without LevelDB and without writing. It checks the
 * CRC-32C of every log record, the stamp of every write, the CRC of every batch, and the chain from batch to
 * batch; of an encrypted segment also every tag. Iterate {@link entries} to the end, then call {@link report}.
 */
export class SegmentReader {
  readonly #faults = new FaultList();
  readonly #tally = new SegmentTally((where, what) => this.#fault(where, what));
  #tornBytes = 0;
  /** LevelDB numbers its operations from 1. */
  #expectedWrite = 1n;
  #meta: SegmentMeta | undefined;
  #end: SegmentEnd | undefined;
  #anything = false;
  #blob: BlobReader | undefined;
  readonly #objects: ObjectReader;
  readonly #schemas = new Map<number, Schema>();
  /** From the directory's name; if that is not a segment id, from the first write. */
  #stamp: Buffer | undefined;

  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #payloads: boolean;
  readonly #opener: WriteOpener;

  /**
   * @param payloads false: payload bytes beside the log are not read and every batch's `payload` is empty; enough
   *   to count and to find the last sequence.
   * @param left Object files whose payloads are not read. Default: none.
   * @param keys For an encrypted segment. Default: none.
   */
  constructor(
    fs: FileSystem,
    directory: string,
    payloads = true,
    left: ReadonlySet<number> = new Set(),
    keys: WalKeys = [],
  ) {
    this.#objects = new ObjectReader(fs, directory, (where, what) => this.#fault(where, what), left);
    this.#fs = fs;
    this.#directory = directory;
    this.#payloads = payloads;
    const name = basename(directory);
    this.#opener = new WriteOpener(keys, name);
    if (isSegmentId(name)) this.#stamp = segmentStamp(name);
  }

  report(): SegmentReport {
    const { records, firstSequence, lastSequence, missingRecords } = this.#tally;
    return {
      state: this.#state(),
      faults: this.#faults.list,
      faultsLeftOut: this.#faults.leftOut,
      records,
      firstSequence,
      lastSequence,
      missingRecords,
      tornBytes: this.#tornBytes,
    };
  }

  /** Throws `IDENTITY_MISSING` if the segment is encrypted and no key fits. */
  async *entries(): AsyncGenerator<SegmentEntry> {
    const names = await this.#fs.readdir(this.#directory);
    const logs = names.filter((name) => /^\d+\.log$/.test(name)).sort();
    if (logs.length > 1 || names.some((name) => /\.(ldb|sst)$/.test(name))) {
      this.#fault('directory', `holds LevelDB files Holdfast never makes: ${names.join(', ').slice(0, 200)}`);
    }
    this.#opener.isEncrypted = names.includes(KEY_FILE);
    this.#blob = await this.#openBlob(names.includes(BLOB_FILE));
    try {
      for (const name of logs) yield* this.#logEntries(name);
      if (this.#end) this.#tally.end(this.#end);
      else await this.#checkEnds(logs.length > 0, names.flatMap(objectFileNumber));
    } finally {
      const blob = this.#blob;
      this.#blob = undefined;
      await this.#objects.close().finally(() => blob.close());
    }
  }

  #state(): SegmentState {
    if (this.#faults.count > 0) return 'corrupt';
    if (this.#end) return 'clean';
    // Torn bytes alone may be an unfinished first commit or a damaged only commit, so they are never simply
    // dropped.
    return this.#anything || this.#tornBytes > 0 ? 'unclean' : 'empty';
  }

  async #openBlob(exists: boolean): Promise<BlobReader> {
    try {
      return await BlobReader.open(this.#fs, this.#directory, exists, (where, what) =>
        this.#fault(where, what),
      );
    } catch (error) {
      this.#unreadable(BLOB_FILE, error);
      return BlobReader.open(this.#fs, this.#directory, false);
    }
  }

  /** An unreadable file is damage too: the segment is quarantined, and the start continues. */
  #unreadable(name: string, error: unknown): void {
    if (!isUnreadable(error)) throw error;
    this.#fault(name, `cannot be read: ${describeError(error)}`);
  }

  async *#logEntries(name: string): AsyncGenerator<SegmentEntry> {
    let file: FileHandle;
    try {
      file = await this.#fs.open(join(this.#directory, name), 'r');
    } catch (error) {
      this.#unreadable(name, error);
      return;
    }
    try {
      const { size } = await file.stat();
      for await (const entry of readLog(file, size, (data) => this.#isOwn(data))) {
        const where = `${name} at ${entry.kind === 'record' ? entry.offset : entry.fault.offset}`;
        if (entry.kind === 'record') yield* this.#writeEntries(entry.data, where);
        else if (entry.kind === 'fault')
          this.#fault(where, `${entry.fault.bytes} bytes: ${entry.fault.what}`);
        else if (this.#end) this.#fault(where, `${entry.fault.bytes} bytes behind the end mark`);
        else this.#tornBytes = entry.fault.bytes;
      }
    } catch (error) {
      this.#unreadable(name, error);
    } finally {
      await file.close();
    }
  }

  async *#writeEntries(data: Buffer, where: string): AsyncGenerator<SegmentEntry> {
    let write: LevelWrite;
    try {
      write = parseLevelWrite(data);
      this.#checkWrite(write);
    } catch (error) {
      this.#fault(where, describeError(error));
      return;
    }
    if (write.sequence !== this.#expectedWrite) {
      this.#fault(
        where,
        `LevelDB writes are missing before ${write.sequence}, expected ${this.#expectedWrite}`,
      );
    }
    this.#expectedWrite = write.sequence + BigInt(write.puts.length);
    this.#anything = true;
    for (const put of this.#decrypted(write, where)) {
      try {
        const entry = await this.#parse(put);
        if (entry) yield entry;
      } catch (error) {
        this.#fault(where, describeError(error));
      }
    }
  }

  /** The entries of a write; none if it is damaged. Throws `IDENTITY_MISSING`. */
  #decrypted(write: LevelWrite, where: string): readonly LevelPut[] {
    try {
      const puts = this.#opener.open(write);
      (this.#blob as BlobReader).cipher = this.#opener.cipher;
      return puts;
    } catch (error) {
      if (isHoldfastError(error, 'IDENTITY_MISSING')) throw error;
      this.#fault(where, describeError(error));
      return [];
    }
  }

  #isOwn(data: Buffer): boolean {
    try {
      this.#checkWrite(parseLevelWrite(data));
      return true;
    } catch {
      // It is not a write of this segment.
      return false;
    }
  }

  /** Refuses writes of another segment, and writes that were already read. */
  #checkWrite({ sequence, puts }: LevelWrite): void {
    const [first] = puts;
    if (!first || entryKind(first.key) !== 'stamp') throw new Error('a write without its stamp');
    this.#stamp ??= first.value;
    if (!first.value.equals(this.#stamp)) throw new Error('a write of another segment');
    if (sequence < this.#expectedWrite) {
      throw new Error(`LevelDB write ${sequence} once more, expected ${this.#expectedWrite}`);
    }
  }

  async #parse({ key, value }: LevelPut): Promise<SegmentEntry | undefined> {
    const kind = entryKind(key);
    switch (kind) {
      case 'meta': {
        const meta = (this.#meta = unpack(value, kind) as SegmentMeta);
        this.#tally.begin(meta.firstSequence);
        return { kind, meta };
      }
      case 'schema':
        this.#schemas.set(key.readUInt32BE(1), unpack(value, kind) as Schema);
        return undefined;
      case 'channel':
        return {
          kind,
          id: key.readUInt32BE(1),
          channel: this.#channelOf(unpack(value, kind) as ChannelEntry),
        };
      case 'object':
        return { kind, number: key.readUInt32BE(1), object: unpack(value, kind) as ObjectEntry };
      case 'gap':
        return { kind, gap: unpackGap(value) };
      case 'other':
        return { kind, other: unpackOther(value) };
      case 'clock':
        return { kind, step: unpack(value, kind) as ClockStep };
      case 'end':
        this.#end = unpack(value, kind) as SegmentEnd;
        return { kind, end: this.#end };
      case 'carried':
      case 'batch':
        return { kind, batch: await this.#readBatch(value, kind === 'carried') };
      case 'stamp':
      case 'sync':
        return undefined;
      case 'key':
      case 'encrypted':
      case undefined:
        this.#fault('log', `unknown key ${key.toString('hex').slice(0, 40)}`);
        return undefined;
    }
  }

  #channelOf({ schemaId, schema, ...rest }: ChannelEntry): SegmentChannel {
    const stored = this.#schemas.get(schemaId);
    if (stored) return { ...rest, schema: stored };
    // Its messages are worth keeping with their topic and type, even if the definition is lost.
    this.#fault(`channel ${rest.topic}`, `its schema ${schema.name} was not read`);
    return { ...rest, schema: { ...schema, data: new Uint8Array(0) } };
  }

  async #readBatch(value: Buffer, carried: boolean): Promise<ReadBatch> {
    const placed = parseBatchValue(value);
    const inline = 'inline' in placed;
    const whole = inline
      ? placed.inline
      : await (this.#blob as BlobReader).read(placed.reference, this.#payloads);
    const prefix = decodePrefix(whole);
    if (!inline && placed.reference.crc !== prefix.crc) {
      throw new Error(`blob at ${placed.reference.offset} holds another batch than its reference says`);
    }
    const columns = decodeColumns(whole, prefix);
    const start = BATCH_PREFIX_BYTES + prefix.headerBytes;
    const bytes = inline ? start + prefix.payloadBytes : (this.#blob as BlobReader).bytesOf(prefix);
    if ((inline ? whole.length : placed.reference.bytes) !== bytes) {
      throw new Error(`batch ${prefix.firstSequence} is not as long as its lengths say`);
    }
    this.#tally.add(prefix, carried);
    if (columns.places) await this.#objects.refer(columns.places);
    const payload = this.#payloads
      ? await this.#objects.assemble(columns, whole.subarray(start, start + prefix.payloadBytes))
      : whole.subarray(0, 0);
    return { firstSequence: prefix.firstSequence, columns, payload };
  }

  /**
   * One commit may have reached the blob or an object file but not the log, and one more may have been written
   * ahead. More than that means that the log lost its end, or all of it. The exception: without an fsync per
   * commit, a power cut may leave the same.
   */
  async #checkEnds(hasLog: boolean, objects: readonly number[]): Promise<void> {
    const blob = this.#blob as BlobReader;
    if (!hasLog && (blob.unreferencedBytes > 0 || objects.length > 0)) {
      this.#fault('directory', 'has payloads and no log');
    }
    if (this.#meta && this.#meta.durability !== 'commit') return;
    if (blob.unreferencedBytes > 0) await this.#useKeyFile(blob);
    const batches = (await blob.unreferencedBatches()).filter(({ carried }) => !carried);
    const underWay = batches[1]?.ahead === true ? 2 : 1;
    let missing = 0;
    if (batches.length > underWay) {
      missing = batches.reduce((sum, { count }) => sum + count, 0);
      this.#fault('blob', `holds ${batches.length} batches (${missing} records) the log says nothing of`);
    }
    for (const { file, chunks, messages } of await this.#objects.loose(objects)) {
      // A commit has at most one chunk in each file, which does not tell whether it was written ahead.
      if (chunks <= 2) continue;
      missing = Math.max(missing, messages);
      this.#fault(file, `holds ${chunks} chunks (${messages} records) the log says nothing of`);
    }
    this.#tally.missingRecords += missing;
  }

  /** Without a readable write, the key of the blob is in the file beside it. Throws `IDENTITY_MISSING`. */
  async #useKeyFile(blob: BlobReader): Promise<void> {
    if (blob.cipher || !this.#opener.isEncrypted) return;
    try {
      blob.cipher = this.#opener.useKey(await readKeyFile(this.#fs, this.#directory));
    } catch (error) {
      if (isHoldfastError(error, 'IDENTITY_MISSING')) throw error;
      this.#fault(KEY_FILE, `cannot be read, and the blob has payloads: ${describeError(error)}`);
    }
  }

  #fault(where: string, what: string): void {
    this.#faults.add(where, what);
  }
}

/** The payload of record `index`, at `offset`, has the CRC in its header. */
export function payloadIntact(columns: BatchColumns, index: number, payload: Uint8Array): boolean {
  return crc32(payload) === columns.crcs[index];
}
