import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describeError } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import {
  BATCH_PREFIX_BYTES,
  chainStart,
  decodeColumns,
  decodePrefix,
  type BatchColumns,
  type BatchLink,
} from './batch-codec.js';
import { readLog } from './leveldb-log.js';
import {
  BLOB_FILE,
  entryKind,
  parseBatchValue,
  unpack,
  type ClockStep,
  type SegmentChannel,
  type SegmentEnd,
  type SegmentMeta,
} from './segment-format.js';
import { parseLevelWrite, type LevelPut } from './write-batch.js';

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
 * `empty`: nothing was ever committed. `clean`: ended by the recorder. `unclean`: cut off, at most one
 * append torn. `corrupt`: committed bytes are damaged; everything readable is still yielded.
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
 * record's CRC-32C, every batch's CRC, and the chain from batch to batch. Iterate {@link entries} to the
 * end, then ask for {@link report}.
 */
export class SegmentReader {
  private readonly faults: SegmentFault[] = [];
  private records = 0;
  private firstSequence = 0;
  private lastSequence = 0;
  private tornBytes = 0;
  private missingRecords = 0;
  private expectedSequence: number | undefined;
  private link: BatchLink = chainStart;
  private expectedWrite: bigint | undefined;
  private end: SegmentEnd | undefined;
  private anything = false;
  private blob: FileHandle | undefined;
  private scratch = Buffer.alloc(0);

  /**
   * @param payloads false: the blob's payload bytes are not read and every batch's `payload` is empty; enough
   *   to count and to find the last sequence.
   */
  constructor(
    private readonly fs: FileSystem,
    private readonly directory: string,
    private readonly payloads = true,
  ) {}

  report(): SegmentReport {
    return {
      state: this.state(),
      faults: this.faults,
      records: this.records,
      firstSequence: this.firstSequence,
      lastSequence: this.lastSequence,
      missingRecords: this.missingRecords,
      tornBytes: this.tornBytes,
    };
  }

  async *entries(): AsyncGenerator<SegmentEntry> {
    const names = await this.fs.readdir(this.directory);
    const logs = names.filter((name) => /^\d+\.log$/.test(name)).sort();
    if (logs.length > 1 || names.some((name) => /\.(ldb|sst)$/.test(name))) {
      this.fault('directory', `holds LevelDB files Holdfast never makes: ${names.join(', ').slice(0, 200)}`);
    }
    try {
      if (names.includes(BLOB_FILE)) this.blob = await this.fs.open(join(this.directory, BLOB_FILE), 'r');
      for (const name of logs) yield* this.logEntries(name);
    } finally {
      await this.blob?.close();
      this.blob = undefined;
    }
    if (this.end) this.checkEnd(this.end);
  }

  private state(): SegmentState {
    if (this.faults.length > 0) return 'corrupt';
    if (this.end) return 'clean';
    return this.anything ? 'unclean' : 'empty';
  }

  private async *logEntries(name: string): AsyncGenerator<SegmentEntry> {
    const file = await this.fs.open(join(this.directory, name), 'r');
    try {
      const { size } = await file.stat();
      for await (const entry of readLog(file, size)) {
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
    let puts: readonly LevelPut[];
    try {
      const write = parseLevelWrite(data);
      if (this.expectedWrite !== undefined && write.sequence !== this.expectedWrite) {
        this.fault(
          where,
          `LevelDB writes are missing before ${write.sequence}, expected ${this.expectedWrite}`,
        );
      }
      this.expectedWrite = write.sequence + BigInt(write.puts.length);
      puts = write.puts;
    } catch (error) {
      this.fault(where, describeError(error));
      return;
    }
    this.anything = true;
    for (const put of puts) {
      try {
        const entry = await this.parse(put);
        if (entry) yield entry;
      } catch (error) {
        this.fault(where, describeError(error));
      }
    }
  }

  private async parse({ key, value }: LevelPut): Promise<SegmentEntry | undefined> {
    const kind = entryKind(key);
    switch (kind) {
      case 'meta': {
        const meta = unpack<SegmentMeta>(value, kind);
        this.expectedSequence ??= meta.firstSequence;
        return { kind, meta };
      }
      case 'channel':
        return { kind, id: key.readUInt32BE(1), channel: unpack<SegmentChannel>(value, kind) };
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
      case 'sync':
        return undefined;
      case undefined:
        this.fault('log', `unknown key ${key.toString('hex').slice(0, 40)}`);
        return undefined;
    }
  }

  private async readBatch(value: Buffer, carried: boolean): Promise<ReadBatch> {
    const placed = parseBatchValue(value);
    const whole =
      'inline' in placed
        ? placed.inline
        : await this.readBlob(placed.reference.offset, placed.reference.bytes);
    const prefix = decodePrefix(whole);
    if ('reference' in placed && placed.reference.crc !== prefix.crc) {
      throw new Error(`blob at ${placed.reference.offset} holds another batch than its reference says`);
    }
    const columns = decodeColumns(whole, prefix);
    if (!carried) this.account(prefix.firstSequence, prefix.count);
    this.checkChain(prefix.previous, prefix.firstSequence);
    this.link = { firstSequence: prefix.firstSequence, crc: prefix.crc };
    const start = BATCH_PREFIX_BYTES + prefix.headerBytes;
    const payload = this.payloads ? whole.subarray(start, start + prefix.payloadBytes) : whole.subarray(0, 0);
    return { firstSequence: prefix.firstSequence, columns, payload };
  }

  private account(firstSequence: number, count: number): void {
    if (this.expectedSequence !== undefined && firstSequence !== this.expectedSequence) {
      this.missingRecords += Math.max(0, firstSequence - this.expectedSequence);
      this.fault(`sequence ${this.expectedSequence}`, `the next record read has sequence ${firstSequence}`);
    }
    if (this.records === 0) this.firstSequence = firstSequence;
    this.lastSequence = firstSequence + count - 1;
    this.expectedSequence = this.lastSequence + 1;
    this.records += count;
  }

  private checkChain(previous: BatchLink, firstSequence: number): void {
    if (previous.crc !== this.link.crc || previous.firstSequence !== this.link.firstSequence) {
      this.fault(`batch ${firstSequence}`, `the batch before it (${previous.firstSequence}) was not read`);
    }
  }

  private checkEnd(end: SegmentEnd): void {
    if (end.records !== this.records) {
      if (this.expectedSequence !== undefined) {
        this.missingRecords += Math.max(0, end.lastSequence + 1 - this.expectedSequence);
      }
      this.fault('end mark', `counts ${end.records} records, read: ${this.records}`);
    } else if (end.link.crc !== this.link.crc) {
      this.fault('end mark', 'belongs to another last batch');
    }
  }

  /** Reads a batch's bytes; without payloads only its head. */
  private async readBlob(offset: number, bytes: number): Promise<Buffer> {
    if (!this.blob) throw new Error('the blob file is missing');
    let wanted = bytes;
    if (!this.payloads) {
      const prefix = decodePrefix(await this.readExactly(offset, Math.min(bytes, BATCH_PREFIX_BYTES)));
      wanted = Math.min(bytes, BATCH_PREFIX_BYTES + prefix.headerBytes);
    }
    return this.readExactly(offset, wanted);
  }

  private async readExactly(offset: number, bytes: number): Promise<Buffer> {
    const { size } = await (this.blob as FileHandle).stat();
    // Checked before allocating: a damaged length must not ask for gigabytes.
    if (offset + bytes > size) throw new Error(`blob ends at ${size}, before ${offset + bytes}`);
    if (this.scratch.length < bytes) this.scratch = Buffer.allocUnsafeSlow(bytes);
    const target = this.scratch.subarray(0, bytes);
    for (let at = 0; at < bytes;) {
      const { bytesRead } = await (this.blob as FileHandle).read(target, at, bytes - at, offset + at);
      if (bytesRead === 0) throw new Error(`blob ends at ${offset + at}`);
      at += bytesRead;
    }
    return target;
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
