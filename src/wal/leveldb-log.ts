import { crc32c } from '@node-rs/crc32';
import type { FileHandle } from '../core/file-system.js';

/*
 * A strict reader of LevelDB's log file (format: LevelDB, doc/log_format.md): blocks of 32 KiB, each a run
 * of physical records `masked CRC-32C (4) | length (2) | type (1) | data`, little endian, zero padding where
 * fewer than 7 bytes are left. LevelDB's own reader drops what it cannot read in silence and rewrites what
 * it could on opening; this one only reads, and says exactly what it could not.
 */

export const LOG_BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const READ_BLOCKS = 32;

const enum RecordType {
  full = 1,
  first = 2,
  middle = 3,
  last = 4,
}

/** A stretch of the log that holds no whole record. */
export interface LogFault {
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
}

export type LogEntry =
  | { readonly kind: 'record'; readonly offset: number; readonly data: Buffer }
  /** Unreadable bytes with a readable record behind them: damage, not a cut. */
  | { readonly kind: 'fault'; readonly fault: LogFault }
  /** Unreadable bytes up to the end of the file: an append that did not complete. */
  | { readonly kind: 'torn'; readonly fault: LogFault };

interface Physical {
  readonly type: RecordType;
  readonly data: Buffer;
  readonly end: number;
}

/** Yields every logical record of a log file in order, and every stretch between that is none. */
export async function* readLog(file: FileHandle, size: number): AsyncGenerator<LogEntry> {
  const blocks = new BlockWindow(file, size);
  let offset = 0;
  while (offset < size) {
    const start = skipPadding(offset);
    if (start >= size) return;
    const { data, end, what } = await readLogical(blocks, start);
    if (data) {
      yield { kind: 'record', offset: start, data };
      offset = end;
      continue;
    }
    const next = await findNextStart(blocks, start);
    const fault = { offset: start, bytes: (next ?? size) - start, what };
    if (next === undefined) {
      yield { kind: 'torn', fault };
      return;
    }
    yield { kind: 'fault', fault };
    offset = next;
  }
}

function skipPadding(offset: number): number {
  const left = LOG_BLOCK_BYTES - (offset % LOG_BLOCK_BYTES);
  return left < HEADER_BYTES ? offset + left : offset;
}

type Logical = { data: Buffer; end: number; what: '' } | { data: undefined; end: number; what: string };

async function readLogical(blocks: BlockWindow, start: number): Promise<Logical> {
  const pieces: Buffer[] = [];
  for (let at = start; ;) {
    const record = await blocks.physicalAt(at);
    if (typeof record === 'string') return { data: undefined, end: at, what: record };
    const starts = record.type === RecordType.full || record.type === RecordType.first;
    if (starts !== (pieces.length === 0)) {
      return {
        data: undefined,
        end: at,
        what: starts ? 'record without its end' : 'record without its start',
      };
    }
    pieces.push(record.data);
    at = skipPadding(record.end);
    if (record.type === RecordType.full) return { data: Buffer.from(record.data), end: at, what: '' };
    if (record.type === RecordType.last) return { data: Buffer.concat(pieces), end: at, what: '' };
  }
}

/** The offset of the first valid start of a logical record behind `from`, or undefined. */
async function findNextStart(blocks: BlockWindow, from: number): Promise<number | undefined> {
  const isStart = (record: Physical | string): boolean =>
    typeof record !== 'string' && (record.type === RecordType.full || record.type === RecordType.first);
  // Inside the damaged block any byte may be a start; a false one would need to pass a CRC-32C.
  const blockEnd = from - (from % LOG_BLOCK_BYTES) + LOG_BLOCK_BYTES;
  for (let at = from + 1; at < Math.min(blockEnd, blocks.size); at++) {
    if (isStart(await blocks.physicalAt(at))) return at;
  }
  for (let block = blockEnd; block < blocks.size; block += LOG_BLOCK_BYTES) {
    for (let at = block; at < Math.min(block + LOG_BLOCK_BYTES, blocks.size);) {
      const record = await blocks.physicalAt(at);
      if (isStart(record)) return at;
      if (typeof record === 'string') break;
      at = record.end;
    }
  }
  return undefined;
}

/** Reads the file a megabyte at a time and parses physical records out of it. */
class BlockWindow {
  private readonly window = Buffer.allocUnsafe(READ_BLOCKS * LOG_BLOCK_BYTES);
  private from = 0;
  private length = 0;

  constructor(
    private readonly file: FileHandle,
    readonly size: number,
  ) {}

  /** The record at an offset, or why there is none. The data is valid until the window moves: see `copy`. */
  async physicalAt(offset: number): Promise<Physical | string> {
    const blockStart = offset - (offset % LOG_BLOCK_BYTES);
    const inBlock = Math.min(LOG_BLOCK_BYTES, this.size - blockStart) - (offset - blockStart);
    if (inBlock < HEADER_BYTES) return 'record header cut short';
    await this.load(blockStart);
    const at = offset - this.from;
    const length = this.window.readUInt16LE(at + 4);
    const type = this.window.readUInt8(at + 6);
    if (type < RecordType.full || type > RecordType.last) return `record of unknown type ${type}`;
    if (HEADER_BYTES + length > inBlock) return 'record longer than its block or the file';
    const stored = unmask(this.window.readUInt32LE(at));
    const checked = this.window.subarray(at + 6, at + HEADER_BYTES + length);
    if (crc32c(checked) !== stored) return 'record fails its CRC-32C';
    return { type, data: Buffer.from(checked.subarray(1)), end: offset + HEADER_BYTES + length };
  }

  private async load(blockStart: number): Promise<void> {
    if (this.length > 0 && blockStart >= this.from && blockStart < this.from + this.length) return;
    this.from = blockStart;
    this.length = 0;
    const wanted = Math.min(this.window.length, this.size - blockStart);
    while (this.length < wanted) {
      const { bytesRead } = await this.file.read(
        this.window,
        this.length,
        wanted - this.length,
        blockStart + this.length,
      );
      // The file shrank under us; what is missing reads as zeros, which is no record.
      if (bytesRead === 0) {
        this.window.fill(0, this.length, wanted);
        this.length = wanted;
        return;
      }
      this.length += bytesRead;
    }
  }
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
