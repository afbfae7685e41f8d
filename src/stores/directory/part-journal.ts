import { crc32 } from '@node-rs/crc32';
import { HoldfastError } from '../../core/errors.js';
import type { FileHandle } from '../../core/file-system.js';
import type { Receipt } from '../../core/store.js';

/**
 * The journal of one upload: one line of fixed length per part, so that part n is found without reading the
 * others. A line is written after the part's bytes were synced. A part counts only if its bytes match the
 * checksum of its line: a torn write of either shows as "not there", and the part is sent again.
 *
 *     part(5) offset(16) bytes(16) crc32(8 hex) newline
 */
const LINE_BYTES = 5 + 1 + 16 + 1 + 16 + 1 + 8 + 1;
const LINE = /^(\d{5}) (\d{16}) (\d{16}) ([0-9a-f]{8})\n$/;
const READ_BYTES = 1 << 20;

export const MAX_PARTS = 99_999;

export interface PartLine {
  readonly partNumber: number;
  readonly offset: number;
  readonly bytes: number;
  readonly crc32: number;
}

export function receiptOf(line: PartLine): Receipt {
  const hex = line.crc32.toString(16).padStart(8, '0');
  return { partNumber: line.partNumber, bytes: line.bytes, etag: `crc32-${hex}`, crc32: line.crc32 };
}

export function encodeLine({ partNumber, offset, bytes, crc32 }: PartLine): Buffer {
  const digits = (value: number, width: number): string => String(value).padStart(width, '0');
  const hex = crc32.toString(16).padStart(8, '0');
  return Buffer.from(
    `${digits(partNumber, 5)} ${digits(offset, 16)} ${digits(bytes, 16)} ${hex}\n`,
    'latin1',
  );
}

export function decodeLine(line: Buffer): PartLine | undefined {
  const match = LINE.exec(line.toString('latin1'));
  if (!match) return undefined;
  const [partNumber, offset, bytes] = match.slice(1, 4).map(Number) as [number, number, number];
  return { partNumber, offset, bytes, crc32: Number.parseInt(match[4] as string, 16) };
}

/** The line of one part, or undefined if it is missing or incomplete. */
export async function readLine(journal: FileHandle, partNumber: number): Promise<PartLine | undefined> {
  const buffer = Buffer.alloc(LINE_BYTES);
  const { bytesRead } = await journal.read(buffer, 0, LINE_BYTES, (partNumber - 1) * LINE_BYTES);
  const line = bytesRead === LINE_BYTES ? decodeLine(buffer) : undefined;
  return line?.partNumber === partNumber ? line : undefined;
}

export async function writeLine(journal: FileHandle, line: PartLine): Promise<void> {
  await writeAll(journal, encodeLine(line), (line.partNumber - 1) * LINE_BYTES);
}

/** All lines from the first part on, up to the first that is missing or does not continue the previous one. */
export async function readLines(journal: FileHandle): Promise<PartLine[]> {
  const lines: PartLine[] = [];
  const { size } = await journal.stat();
  let end = 0;
  for (let partNumber = 1; partNumber <= Math.min(size / LINE_BYTES, MAX_PARTS); partNumber++) {
    const line = await readLine(journal, partNumber);
    if (line === undefined || line.offset !== end) break;
    lines.push(line);
    end += line.bytes;
  }
  return lines;
}

/** Whether the part's bytes on disk match its line. */
export async function hasItsBytes(data: FileHandle, line: PartLine, signal?: AbortSignal): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, line.bytes));
  let checksum = 0;
  for (let done = 0; done < line.bytes;) {
    signal?.throwIfAborted();
    const wanted = Math.min(buffer.length, line.bytes - done);
    const { bytesRead } = await data.read(buffer, 0, wanted, line.offset + done);
    if (bytesRead === 0) return false;
    checksum = crc32(buffer.subarray(0, bytesRead), checksum);
    done += bytesRead;
  }
  return checksum === line.crc32;
}

/** Writes everything: a single write may end early, for example on a full disk. */
export async function writeAll(
  handle: FileHandle,
  data: Uint8Array,
  position: number,
  signal?: AbortSignal,
): Promise<void> {
  for (let done = 0; done < data.byteLength;) {
    signal?.throwIfAborted();
    const length = Math.min(data.byteLength - done, 4 * READ_BYTES);
    const { bytesWritten } = await handle.write(data, done, length, position + done);
    if (bytesWritten === 0) throw new HoldfastError('STORE_FULL', 'the disk takes no more bytes');
    done += bytesWritten;
  }
}
