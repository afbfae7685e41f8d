import { crc32c } from '@node-rs/crc32';
import type { FileHandle } from '../core/file-system.js';

/*
 * A strict reader of LevelDB's log file (format: LevelDB, doc/log_format.md). The file has blocks of 32 KiB,
 * each with physical records `masked CRC-32C (4) | length (2) | type (1) | data`, little endian, and zero
 * padding if fewer than 7 bytes are left. LevelDB's own reader silently drops what it cannot read, and
 * rewrites the rest when it opens the log. This reader only reads, and reports exactly what it could not
 * read.
 */

export const LOG_BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const READ_BLOCKS = 32;

const RecordType = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** A range of the log without a whole record. */
export interface LogFault {
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
}

export type LogEntry =
  | { readonly kind: 'record'; readonly offset: number; readonly data: Buffer }
  /** Unreadable bytes before a readable record: damage, not a cut. */
  | { readonly kind: 'fault'; readonly fault: LogFault }
  /** Unreadable bytes up to the end of the file: an append that did not complete. */
  | { readonly kind: 'torn'; readonly fault: LogFault };

interface Physical {
  /** One of {@link RecordType}. */
  readonly type: number;
  readonly data: Buffer;
  readonly end: number;
}

/**
 * Yields every logical record of a log file in order, and every range between them that is not a record.
 *
 * @param isOwn decides whether a record found by a search after damage belongs to this log. The bytes of
 * another log may lie inside a payload, or in blocks that the file system reused.
 */
export async function* readLog(
  file: FileHandle,
  size: number,
  isOwn: (data: Buffer) => boolean,
): AsyncGenerator<LogEntry> {
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
    const next = await findNextStart(blocks, end, isOwn);
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

/** Without data, `end` is where reading failed: at or after the start. */
type Logical = { data: Buffer; end: number; what: '' } | { data: undefined; end: number; what: string };

async function readLogical(blocks: BlockWindow, start: number): Promise<Logical> {
  const pieces: Buffer[] = [];
  for (let at = start; ;) {
    const record = await blocks.physicalAt(at);
    if (typeof record === 'string') return { data: undefined, end: at, what: record };
    const starts = isStart(record);
    if (starts !== (pieces.length === 0)) {
      return {
        data: undefined,
        end: at,
        what: starts ? 'record without its end' : 'record without its start',
      };
    }
    pieces.push(record.data);
    at = skipPadding(record.end);
    if (record.type === RecordType.full) return { data: record.data, end: at, what: '' };
    if (record.type === RecordType.last) return { data: Buffer.concat(pieces), end: at, what: '' };
  }
}

/**
 * The offset of the first whole record of this log at or after `from`, or undefined. It follows intact
 * records; after a damaged one, any byte up to the end of its block may begin the next.
 */
async function findNextStart(
  blocks: BlockWindow,
  from: number,
  isOwn: (data: Buffer) => boolean,
): Promise<number | undefined> {
  let searching = false;
  for (let at = from; at < blocks.size;) {
    if (at % LOG_BLOCK_BYTES === 0) searching = false;
    const record = await blocks.physicalAt(at);
    if (typeof record !== 'string' && isStart(record)) {
      const { data } = await readLogical(blocks, at);
      if (data && isOwn(data)) return at;
    }
    if (searching || typeof record === 'string') {
      searching = true;
      at = await blocks.nextCandidate(at + 1);
    } else at = skipPadding(record.end);
  }
  return undefined;
}

function isStart({ type }: Physical): boolean {
  return type === RecordType.full || type === RecordType.first;
}

/** Reads the file in pieces of one megabyte and parses physical records. */
class BlockWindow {
  readonly #window: Buffer;
  #from = 0;
  #length = 0;

  readonly #file: FileHandle;

  constructor(
    file: FileHandle,
    readonly size: number,
  ) {
    this.#file = file;
    this.#window = Buffer.allocUnsafe(
      Math.min(READ_BLOCKS, Math.ceil(size / LOG_BLOCK_BYTES)) * LOG_BLOCK_BYTES,
    );
  }

  /** The record at an offset, or the reason why it cannot be read. Its data is a copy. */
  async physicalAt(offset: number): Promise<Physical | string> {
    const inBlock = this.#leftInBlock(offset);
    if (inBlock < HEADER_BYTES) return 'record header cut short';
    await this.#load(offset);
    const at = offset - this.#from;
    const length = this.#window.readUInt16LE(at + 4);
    const type = this.#window.readUInt8(at + 6);
    if (type < RecordType.full || type > RecordType.last) return `record of unknown type ${type}`;
    if (HEADER_BYTES + length > inBlock) return 'record longer than its block or the file';
    const stored = unmask(this.#window.readUInt32LE(at));
    const checked = this.#window.subarray(at + 6, at + HEADER_BYTES + length);
    if (crc32c(checked) !== stored) return 'record fails its CRC-32C';
    return { type, data: Buffer.from(checked.subarray(1)), end: offset + HEADER_BYTES + length };
  }

  /** The first offset from `offset` on that could begin a record, at most the start of the next block. */
  async nextCandidate(offset: number): Promise<number> {
    if (offset >= this.size || offset % LOG_BLOCK_BYTES === 0) return offset;
    await this.#load(offset);
    const left = this.#leftInBlock(offset);
    for (let i = 0; i + HEADER_BYTES <= left; i++) {
      const at = offset - this.#from + i;
      const type = this.#window[at + 6] as number;
      if (type !== RecordType.full && type !== RecordType.first) continue;
      if (HEADER_BYTES + this.#window.readUInt16LE(at + 4) <= left - i) return offset + i;
    }
    return offset + left;
  }

  /** Bytes from an offset to the end of its block or of the file. */
  #leftInBlock(offset: number): number {
    const within = offset % LOG_BLOCK_BYTES;
    return Math.min(LOG_BLOCK_BYTES, this.size - (offset - within)) - within;
  }

  async #load(offset: number): Promise<void> {
    const blockStart = offset - (offset % LOG_BLOCK_BYTES);
    if (this.#length > 0 && blockStart >= this.#from && blockStart < this.#from + this.#length) return;
    this.#from = blockStart;
    this.#length = 0;
    const wanted = Math.min(this.#window.length, this.size - blockStart);
    while (this.#length < wanted) {
      const { bytesRead } = await this.#file.read(
        this.#window,
        this.#length,
        wanted - this.#length,
        blockStart + this.#length,
      );
      // The file became shorter meanwhile; the missing bytes read as zeros, which are not a record.
      if (bytesRead === 0) {
        this.#window.fill(0, this.#length, wanted);
        this.#length = wanted;
        return;
      }
      this.#length += bytesRead;
    }
  }
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
