import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import { crc32Combine } from '../core/crc32-combine.js';
import { isUnreadable } from '../core/durable-files.js';
import { systemCode } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { objectName } from '../core/object-name.js';
import { isPlaced } from '../wal/batch-codec.js';
import { placedRecord } from '../wal/batch-encoder.js';
import type { ChunkIndex } from '../wal/object-chunk.js';
import {
  ObjectFile,
  objectFileName,
  type ChunkReference,
  type ObjectEntry,
  type PlacedRecord,
} from '../wal/object-file.js';
import type { SegmentChannel } from '../wal/segment-format.js';
import type { ReadBatch } from '../wal/segment-reader.js';
import { objectKeyOf, type ObjectRouter } from './object-router.js';

/** An object file of a segment as its batches describe it. */
interface Described {
  readonly file: ObjectFile;
  readonly key: string;
  readonly chunks: ChunkReference[];
  readonly indexes: ChunkIndex[];
  /** Its bytes equal the start of its object. */
  fits: boolean;
}

/** An object file that can become its object in its place. */
export interface PlacedObject {
  readonly path: string;
  readonly file: ObjectFile;
  readonly chunks: readonly ChunkIndex[];
  /** The object's part so far. */
  readonly bytes: number;
  /** CRC-32 of these bytes. */
  readonly crc32: number;
  /** Their SHA-256; absent: they were not read. */
  readonly sha256?: Hash;
}

export interface PlacedChecks {
  /**
   * Read every byte and compare it with the CRCs of the batches. False: this process wrote the file and synced it,
   * and the CRCs of the batches stand for its bytes.
   */
  readonly readsAll: boolean;
  /** Whether to copy and compress a file instead. Reads samples of the file through the handle. */
  readonly isCopied: (handle: FileHandle, bytes: number) => Promise<boolean>;
}

const READ_BYTES = 1024 * 1024;

/**
 * Plans the object files of a segment again while its batches are read, and compares each chunk with the
 * references of the batches. A file that differs is not damage: its payloads are read one by one, as in any
 * other segment.
 */
export class PlacedSurvey {
  readonly #files = new Map<number, Described>();
  readonly #channels = new Map<number, SegmentChannel>();
  readonly #counts: number[] = [];
  #bytes = 0;
  #firstLogTime: bigint | undefined;
  #lastLogTime: bigint | undefined;

  /** Payload bytes in object files per second of log time, of which there is at least one. */
  get bytesPerS(): number {
    const span = Number((this.#lastLogTime ?? 0n) - (this.#firstLogTime ?? 0n)) / 1e9;
    return this.#bytes / Math.max(1, span);
  }

  addChannel(id: number, channel: SegmentChannel): void {
    this.#channels.set(id, channel);
  }

  addObject(number: number, entry: ObjectEntry): void {
    const key = objectKeyOf(objectName(entry.robot, entry.priority, 0, entry.group));
    const file = new ObjectFile(number, entry);
    this.#files.set(number, { file, key, chunks: [], indexes: [], fits: true });
  }

  /** Takes all batches in order. Carried batches have no payloads in object files. */
  addBatch({ columns }: ReadBatch, router: ObjectRouter): void {
    if (this.#files.size === 0 && !columns.places) {
      this.#count(columns.channelIds);
      return;
    }
    const records = new Map<number, PlacedRecord[]>();
    for (let i = 0; i < columns.channelIds.length; i++) {
      const id = columns.channelIds[i] as number;
      const number = this.#next(id);
      if (!columns.places || !isPlaced(columns, i)) continue;
      const fileNumber = columns.places.files[i] as number;
      const described = this.#files.get(fileNumber);
      const channel = this.#channels.get(id);
      if (!described) continue;
      const name = router.nameOf(id);
      if (!channel || !name || objectKeyOf(name) !== described.key) {
        described.fits = false;
        continue;
      }
      const list = records.get(fileNumber) ?? [];
      records.set(fileNumber, list);
      const record = placedRecord(columns, i, channel, number);
      this.#noteRate(record);
      list.push(record);
    }
    for (const [number, list] of records) this.#addChunk(number, list, columns.places?.chunks ?? []);
  }

  /** The files that can become objects in their place, by object. */
  async check(fs: FileSystem, directory: string, checks: PlacedChecks): Promise<Map<string, PlacedObject>> {
    const placed = new Map<string, PlacedObject>();
    for (const described of this.#files.values()) {
      if (!described.fits || described.chunks.length === 0) continue;
      const object = await checkFile(fs, directory, described, checks);
      if (object) placed.set(described.key, object);
    }
    return placed;
  }

  #addChunk(number: number, records: readonly PlacedRecord[], references: readonly ChunkReference[]): void {
    const described = this.#files.get(number);
    if (!described?.fits) return;
    const reference = references.find(({ file }) => file === number);
    const planned = described.file.place(records);
    described.fits =
      reference?.offset === planned.offset &&
      reference.bytes === planned.bytes &&
      reference.crc === planned.crc;
    if (!described.fits || !reference) return;
    described.chunks.push(reference);
    described.indexes.push(planned.index);
  }

  #noteRate({ bytes, logTime }: PlacedRecord): void {
    this.#bytes += bytes;
    if (this.#firstLogTime === undefined || logTime < this.#firstLogTime) this.#firstLogTime = logTime;
    if (this.#lastLogTime === undefined || logTime > this.#lastLogTime) this.#lastLogTime = logTime;
  }

  #count(channelIds: Uint32Array): void {
    for (const id of channelIds) this.#next(id);
  }

  #next(id: number): number {
    return (this.#counts[id] = (this.#counts[id] ?? 0) + 1);
  }
}

/**
 * Returns undefined if the file is copied instead: because that compresses it, or because it cannot be read or a byte
 * differs. Copying then finds what is lost.
 */
async function checkFile(
  fs: FileSystem,
  directory: string,
  { file, chunks, indexes }: Described,
  { readsAll, isCopied }: PlacedChecks,
): Promise<PlacedObject | undefined> {
  const path = join(directory, objectFileName(file.number));
  const parts: readonly Part[] = [{ bytes: file.header.byteLength, crc: crc32(file.header) }, ...chunks];
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const sum = parts.reduce((crc, part) => crc32Combine(crc, part.crc, part.bytes), 0);
  let handle: FileHandle | undefined;
  try {
    handle = await fs.open(path, 'r');
    const { size } = await handle.stat();
    if (size < bytes || (await isCopied(handle, bytes))) return undefined;
    const placed = { path, file, chunks: indexes, bytes, crc32: sum };
    if (!readsAll) return placed;
    const sha256 = await sumParts(handle, parts);
    return sha256 && { ...placed, sha256 };
  } catch (error) {
    if (isUnreadable(error) || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

interface Part {
  readonly bytes: number;
  readonly crc: number;
}

/** The hash of consecutive parts from the start of a file; undefined if the CRC of one differs. */
async function sumParts(handle: FileHandle, parts: readonly Part[]): Promise<Hash | undefined> {
  const sha256 = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let offset = 0;
  for (const { bytes, crc } of parts) {
    if ((await sumOf(handle, offset, bytes, buffer, sha256)) !== crc) return undefined;
    offset += bytes;
  }
  return sha256;
}

/** CRC-32 of a part of a file, which also updates the hash; undefined if the file is shorter. */
async function sumOf(
  handle: FileHandle,
  offset: number,
  bytes: number,
  buffer: Buffer,
  sha256: Hash,
): Promise<number | undefined> {
  let crc = 0;
  for (let at = 0; at < bytes;) {
    const wanted = Math.min(buffer.length, bytes - at);
    const { bytesRead } = await handle.read(buffer, 0, wanted, offset + at);
    if (bytesRead === 0) return undefined;
    const read = buffer.subarray(0, bytesRead);
    crc = crc32(read, crc);
    sha256.update(read);
    at += bytesRead;
  }
  return crc;
}
