import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import type { Schema } from '../core/message.js';
import { isSegmentId } from '../core/segment-id.js';
import { BATCH_PREFIX_BYTES, decodeColumns, decodePrefix, type BatchColumns } from './batch-codec.js';
import { BlobReader } from './blob-reader.js';
import { readLog } from './leveldb-log.js';
import {
  BLOB_FILE,
  entryKind,
  parseBatchValue,
  segmentStamp,
  unpack,
  type ChannelEntry,
  type ClockStep,
  type SegmentChannel,
  type SegmentEnd,
  type SegmentMeta,
} from './segment-format.js';
import { SegmentTally } from './segment-tally.js';
import { parseLevelWrite, type LevelPut, type LevelWrite } from './write-batch.js';

/** A batch read back, its head verified; payloads are verified one by one with {@link payloadIntact}. */
export interface ReadBatch {
  readonly firstSequence: number;
  readonly columns: BatchColumns;
  /** All payloads in order. Valid only until the next entry is asked for. */
  readonly payload: Buffer;
}

export type SegmentEntry =
  | { readonly kind: 'meta'; readonly meta: SegmentMeta }
  | { readonly kind: 'channel'; readonly id: number; readonly channel: SegmentChannel }
  | { readonly kind: 'carried'; readonly batch: ReadBatch }
  | { readonly kind: 'batch'; readonly batch: ReadBatch }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'clock'; readonly step: ClockStep }
  | { readonly kind: 'end'; readonly end: SegmentEnd };

/** Something in a segment that could not be read. */
export interface SegmentFault {
  readonly where: string;
  readonly what: string;
}

/**
 * `empty`: nothing was ever written. `clean`: ended by the recorder. `unclean`: cut off, at most one append
 * torn. `corrupt`: committed bytes are damaged; everything readable is still yielded.
 */
export type SegmentState = 'empty' | 'clean' | 'unclean' | 'corrupt';

export interface SegmentReport {
  readonly state: SegmentState;
  readonly faults: readonly SegmentFault[];
  readonly records: number;
  /** 0 where there are no records. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Records that are provably absent, by the sequences around them and the end mark. */
  readonly missingRecords: number;
  /** Bytes of an incomplete append at the end. */
  readonly tornBytes: number;
}

/**
 * Reads one WAL segment from its files alone, strictly, without LevelDB and without writing: every log
 * record's CRC-32C, every write's stamp, every batch's CRC, and the chain from batch to batch. Iterate
 * {@link entries} to the end, then ask for {@link report}.
 */
export class SegmentReader {
  private readonly faults: SegmentFault[] = [];
  private readonly tally = new SegmentTally((where, what) => this.fault(where, what));
  private tornBytes = 0;
  /** LevelDB numbers its operations from 1 on. */
  private expectedWrite = 1n;
  private meta: SegmentMeta | undefined;
  private end: SegmentEnd | undefined;
  private anything = false;
  private blob: BlobReader | undefined;
  private readonly schemas = new Map<number, Schema>();
  /** By the directory's name; where that is no segment id, by the first write. */
  private stamp: Buffer | undefined;

  /**
   * @param payloads false: the blob's payload bytes are not read and every batch's `payload` is empty; enough
   *   to count and to find the last sequence.
   */
  constructor(
    private readonly fs: FileSystem,
    private readonly directory: string,
    private readonly payloads = true,
  ) {
    const name = basename(directory);
    if (isSegmentId(name)) this.stamp = segmentStamp(name);
  }

  report(): SegmentReport {
    const { records, firstSequence, lastSequence, missingRecords } = this.tally;
    return {
      state: this.state(),
      faults: this.faults,
      records,
      firstSequence,
      lastSequence,
      missingRecords,
      tornBytes: this.tornBytes,
    };
  }

  async *entries(): AsyncGenerator<SegmentEntry> {
    const names = await this.fs.readdir(this.directory);
    const logs = names.filter((name) => /^\d+\.log$/.test(name)).sort();
    if (logs.length > 1 || names.some((name) => /\.(ldb|sst)$/.test(name))) {
      this.fault('directory', `holds LevelDB files Holdfast never makes: ${names.join(', ').slice(0, 200)}`);
    }
    this.blob = await BlobReader.open(this.fs, this.directory, names.includes(BLOB_FILE));
    try {
      for (const name of logs) yield* this.logEntries(name);
      if (this.end) this.tally.end(this.end);
      else await this.checkBlobEnd(logs.length > 0);
    } finally {
      await this.blob.close();
      this.blob = undefined;
    }
  }

  private state(): SegmentState {
    if (this.faults.length > 0) return 'corrupt';
    if (this.end) return 'clean';
    // Torn bytes alone may be a damaged only commit as well as an unfinished first one: never just dropped.
    return this.anything || this.tornBytes > 0 ? 'unclean' : 'empty';
  }

  private async *logEntries(name: string): AsyncGenerator<SegmentEntry> {
    const file = await this.fs.open(join(this.directory, name), 'r');
    try {
      const { size } = await file.stat();
      for await (const entry of readLog(file, size, (data) => this.isOwn(data))) {
        const where = `${name} at ${entry.kind === 'record' ? entry.offset : entry.fault.offset}`;
        if (entry.kind === 'record') yield* this.writeEntries(entry.data, where);
        else if (entry.kind === 'fault') this.fault(where, `${entry.fault.bytes} bytes: ${entry.fault.what}`);
        else if (this.end) this.fault(where, `${entry.fault.bytes} bytes behind the end mark`);
        else this.tornBytes = entry.fault.bytes;
      }
    } finally {
      await file.close();
    }
  }

  private async *writeEntries(data: Buffer, where: string): AsyncGenerator<SegmentEntry> {
    let write: LevelWrite;
    try {
      write = parseLevelWrite(data);
      this.checkWrite(write);
    } catch (error) {
      this.fault(where, describeError(error));
      return;
    }
    if (write.sequence !== this.expectedWrite) {
      this.fault(
        where,
        `LevelDB writes are missing before ${write.sequence}, expected ${this.expectedWrite}`,
      );
    }
    this.expectedWrite = write.sequence + BigInt(write.puts.length);
    this.anything = true;
    for (const put of write.puts) {
      try {
        const entry = await this.parse(put);
        if (entry) yield entry;
      } catch (error) {
        this.fault(where, describeError(error));
      }
    }
  }

  private isOwn(data: Buffer): boolean {
    try {
      this.checkWrite(parseLevelWrite(data));
      return true;
    } catch {
      // Whatever it is, it is not a write of this segment.
      return false;
    }
  }

  /** Refuses what another segment wrote, and what was read before. */
  private checkWrite({ sequence, puts }: LevelWrite): void {
    const [first] = puts;
    if (!first || entryKind(first.key) !== 'stamp') throw new Error('a write without its stamp');
    this.stamp ??= first.value;
    if (!first.value.equals(this.stamp)) throw new Error('a write of another segment');
    if (sequence < this.expectedWrite) {
      throw new Error(`LevelDB write ${sequence} once more, expected ${this.expectedWrite}`);
    }
  }

  private async parse({ key, value }: LevelPut): Promise<SegmentEntry | undefined> {
    const kind = entryKind(key);
    switch (kind) {
      case 'meta': {
        const meta = (this.meta = unpack<SegmentMeta>(value, kind));
        this.tally.begin(meta.firstSequence);
        return { kind, meta };
      }
      case 'schema':
        this.schemas.set(key.readUInt32BE(1), unpack<Schema>(value, kind));
        return undefined;
      case 'channel':
        return { kind, id: key.readUInt32BE(1), channel: this.channelOf(unpack<ChannelEntry>(value, kind)) };
      case 'gap':
        return { kind, gap: unpackGap(value) };
      case 'clock':
        return { kind, step: unpack<ClockStep>(value, kind) };
      case 'end':
        this.end = unpack<SegmentEnd>(value, kind);
        return { kind, end: this.end };
      case 'carried':
      case 'batch':
        return { kind, batch: await this.readBatch(value, kind === 'carried') };
      case 'stamp':
      case 'sync':
        return undefined;
      case undefined:
        this.fault('log', `unknown key ${key.toString('hex').slice(0, 40)}`);
        return undefined;
    }
  }

  private channelOf({ schemaId, schema, ...rest }: ChannelEntry): SegmentChannel {
    const stored = this.schemas.get(schemaId);
    if (stored) return { ...rest, schema: stored };
    // Its messages are worth keeping under their topic and type even where the definition is lost.
    this.fault(`channel ${rest.topic}`, `its schema ${schema.name} was not read`);
    return { ...rest, schema: { ...schema, data: new Uint8Array(0) } };
  }

  private async readBatch(value: Buffer, carried: boolean): Promise<ReadBatch> {
    const placed = parseBatchValue(value);
    const inline = 'inline' in placed;
    const whole = inline
      ? placed.inline
      : await (this.blob as BlobReader).read(placed.reference, this.payloads);
    const prefix = decodePrefix(whole);
    if (!inline && placed.reference.crc !== prefix.crc) {
      throw new Error(`blob at ${placed.reference.offset} holds another batch than its reference says`);
    }
    const columns = decodeColumns(whole, prefix);
    const start = BATCH_PREFIX_BYTES + prefix.headerBytes;
    if ((inline ? whole.length : placed.reference.bytes) !== start + prefix.payloadBytes) {
      throw new Error(`batch ${prefix.firstSequence} is not as long as its lengths say`);
    }
    this.tally.add(prefix, carried);
    const payload = this.payloads ? whole.subarray(start, start + prefix.payloadBytes) : whole.subarray(0, 0);
    return { firstSequence: prefix.firstSequence, columns, payload };
  }

  /**
   * One commit may have reached the blob and not the log, and one more that was written ahead meanwhile. What
   * is beyond means that the log lost its end, or all of it; unless nothing was synced commit by commit, when a
   * power cut may leave just that.
   */
  private async checkBlobEnd(hasLog: boolean): Promise<void> {
    const blob = this.blob as BlobReader;
    if (!hasLog && blob.unreferencedBytes > 0) this.fault('directory', 'has a blob and no log');
    if (this.meta && this.meta.durability !== 'commit') return;
    const batches = (await blob.unreferencedBatches()).filter(({ carried }) => !carried);
    const underWay = batches[1]?.ahead === true ? 2 : 1;
    if (batches.length <= underWay) return;
    const records = batches.reduce((sum, { count }) => sum + count, 0);
    this.tally.missingRecords += records;
    this.fault('blob', `holds ${batches.length} batches (${records} records) the log says nothing of`);
  }

  private fault(where: string, what: string): void {
    this.faults.push({ where, what });
  }
}

/** The payload of record `index`, whose bytes begin at `offset`, has the CRC its header says. */
export function payloadIntact(columns: BatchColumns, index: number, payload: Uint8Array): boolean {
  return crc32(payload) === columns.crcs[index];
}

function unpackGap(value: Buffer): Gap {
  const gap = unpack<Gap & { firstTime?: bigint | number; lastTime?: bigint | number }>(value, 'gap');
  return {
    ...gap,
    ...(gap.firstTime === undefined ? {} : { firstTime: BigInt(gap.firstTime) }),
    ...(gap.lastTime === undefined ? {} : { lastTime: BigInt(gap.lastTime) }),
  };
}
