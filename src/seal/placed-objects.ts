import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
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

/** An object file whose bytes were checked, and which can become its object in its place. */
export interface PlacedObject {
  readonly path: string;
  readonly file: ObjectFile;
  readonly chunks: readonly ChunkIndex[];
  /** CRC-32 of the object's part so far. */
  readonly bytes: number;
  readonly crc32: number;
  readonly sha256: Hash;
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

  addChannel(id: number, channel: SegmentChannel): void {
    this.#channels.set(id, channel);
  }

  addObject(number: number, entry: ObjectEntry): void {
    const key = objectKeyOf(objectName(entry.robot, entry.priority));
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
      list.push(placedRecord(columns, i, channel, number));
    }
    for (const [number, list] of records) this.#addChunk(number, list, columns.places?.chunks ?? []);
  }

  /**
   * The files that can become objects in their place, by object. Every byte of them was read and matches the
   * batches.
   */
  async check(fs: FileSystem, directory: string): Promise<Map<string, PlacedObject>> {
    const placed = new Map<string, PlacedObject>();
    for (const described of this.#files.values()) {
      if (!described.fits || described.chunks.length === 0) continue;
      const object = await checkFile(fs, directory, described);
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

  #count(channelIds: Uint32Array): void {
    for (const id of channelIds) this.#next(id);
  }

  #next(id: number): number {
    return (this.#counts[id] = (this.#counts[id] ?? 0) + 1);
  }
}

/** Returns undefined if the file cannot be read or a byte differs. Copying then finds what is lost. */
async function checkFile(
  fs: FileSystem,
  directory: string,
  { file, chunks, indexes }: Described,
): Promise<PlacedObject | undefined> {
  const path = join(directory, objectFileName(file.number));
  let handle: FileHandle | undefined;
  try {
    handle = await fs.open(path, 'r');
    const sha256 = createHash('sha256');
    const parts = [{ bytes: file.header.byteLength, crc: crc32(file.header) }, ...chunks];
    let bytes = 0;
    let sum = 0;
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    for (const part of parts) {
      const crc = await sumOf(handle, bytes, part.bytes, buffer, sha256);
      if (crc !== part.crc) return undefined;
      sum = crc32Combine(sum, crc, part.bytes);
      bytes += part.bytes;
    }
    return { path, file, chunks: indexes, bytes, crc32: sum, sha256 };
  } catch (error) {
    if (isUnreadable(error) || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
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
