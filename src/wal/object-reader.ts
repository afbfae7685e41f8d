import { join } from 'node:path';
import { closeAll, isUnreadable } from '../core/durable-files.js';
import { systemCode } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { MAGIC, Op, RECORD_HEADER_BYTES } from '../core/mcap/records.js';
import { isPlaced, type BatchColumns, type BatchPlaces } from './batch-codec.js';
import { objectFileName } from './object-file.js';

interface OpenObject {
  readonly file: FileHandle | undefined;
  readonly size: number;
  /** End of the last chunk that the log refers to. */
  referencedBytes: number;
}

/** Whole chunks of an object file that no batch refers to. */
export interface LooseChunks {
  readonly file: string;
  readonly chunks: number;
  readonly messages: number;
}

/** MessageIndex: channel id and length before its entries. */
const INDEX_HEAD_BYTES = 6;
const INDEX_ENTRY_BYTES = 16;

/** Reads payloads from the object files of one segment. Missing bytes read as zeros and are reported. */
export class ObjectReader {
  readonly #objects = new Map<number, OpenObject>();
  #scratch = Buffer.alloc(0);

  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #fault: (where: string, what: string) => void;
  readonly #left: ReadonlySet<number>;

  /**
   * @param fault - Receives unreadable parts and their places.
   * @param left - Files whose payloads are not read.
   */
  constructor(
    fs: FileSystem,
    directory: string,
    fault: (where: string, what: string) => void,
    left: ReadonlySet<number>,
  ) {
    this.#fs = fs;
    this.#directory = directory;
    this.#fault = fault;
    this.#left = left;
  }

  async close(): Promise<void> {
    await closeAll([...this.#objects.values()].map(({ file }) => file));
  }

  /** Notes the references of a batch, and reports missing chunks. */
  async refer({ chunks }: BatchPlaces): Promise<void> {
    for (const { file, offset, bytes } of chunks) {
      const object = await this.#open(file);
      object.referencedBytes = Math.max(object.referencedBytes, offset + bytes);
      if (offset + bytes > object.size) {
        this.#fault(objectFileName(file), `ends at ${object.size}, before ${offset + bytes}`);
      }
    }
  }

  /**
   * The payloads of a batch in order, without those of the files in `left`. Valid until the next call.
   *
   * @param own - The payloads inside the batch.
   */
  async assemble(columns: BatchColumns, own: Buffer): Promise<Buffer> {
    const { places, lengths } = columns;
    if (!places) return own;
    let total = 0;
    for (const [i, length] of lengths.entries()) if (!isLeft(columns, i, this.#left)) total += length;
    if (this.#scratch.length < total) this.#scratch = Buffer.allocUnsafeSlow(total);
    let at = 0;
    let ownAt = 0;
    for (const [i, length] of lengths.entries()) {
      if (isLeft(columns, i, this.#left)) continue;
      const target = this.#scratch.subarray(at, (at += length));
      if (!isPlaced(columns, i)) own.copy(target, 0, ownAt, (ownAt += length));
      else await this.#read(places.files[i] as number, Number(places.offsets[i]), target);
    }
    return this.#scratch.subarray(0, total);
  }

  /** The chunks after the last referenced one, per file. */
  async loose(numbers: readonly number[]): Promise<LooseChunks[]> {
    const found: LooseChunks[] = [];
    for (const number of numbers) {
      const object = await this.#open(number);
      const counted = object.file && (await countLoose(object.file, object));
      if (counted && counted.chunks > 0) found.push({ file: objectFileName(number), ...counted });
    }
    return found;
  }

  async #read(number: number, offset: number, target: Buffer): Promise<void> {
    const { file } = await this.#open(number);
    try {
      if (file && (await readFully(file, target, offset))) return;
      // The missing part was reported with the reference. The payload then fails its CRC.
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#fault(objectFileName(number), `cannot be read at ${offset}`);
    }
    target.fill(0);
  }

  async #open(number: number): Promise<OpenObject> {
    let object = this.#objects.get(number);
    if (object) return object;
    const name = objectFileName(number);
    let file: FileHandle | undefined;
    let size = 0;
    try {
      file = await this.#fs.open(join(this.#directory, name), 'r');
      ({ size } = await file.stat());
    } catch (error) {
      if (!isUnreadable(error) && systemCode(error) !== 'ENOENT') {
        await file?.close();
        throw error;
      }
      this.#fault(name, file ? 'cannot be read' : 'cannot be opened');
    }
    object = { file, size, referencedBytes: 0 };
    this.#objects.set(number, object);
    return object;
  }
}

/** The payload of record `index` is in one of the files in `left`. */
export function isLeft({ places }: BatchColumns, index: number, left: ReadonlySet<number>): boolean {
  return places !== undefined && left.has(places.files[index] as number);
}

/** Counts chunks with their message indexes, up to the first incomplete or different record. */
async function countLoose(
  file: FileHandle,
  { referencedBytes, size }: OpenObject,
): Promise<{ chunks: number; messages: number }> {
  const head = Buffer.alloc(RECORD_HEADER_BYTES + INDEX_HEAD_BYTES);
  const counted = { chunks: 0, messages: 0 };
  for (let at = referencedBytes === 0 ? MAGIC.length : referencedBytes; at + head.length <= size;) {
    if (!(await readFully(file, head, at))) break;
    const opcode = head.readUInt8(0);
    const next = at + RECORD_HEADER_BYTES + Number(head.readBigUInt64LE(1));
    if (next > size || !(opcode === Op.header || opcode === Op.chunk || opcode === Op.messageIndex)) break;
    if (opcode === Op.chunk) counted.chunks++;
    else if (opcode === Op.messageIndex)
      counted.messages += head.readUInt32LE(RECORD_HEADER_BYTES + 2) / INDEX_ENTRY_BYTES;
    at = next;
  }
  return counted;
}

/** Returns false if the file ends earlier. */
async function readFully(file: FileHandle, target: Buffer, offset: number): Promise<boolean> {
  for (let at = 0; at < target.length;) {
    const { bytesRead } = await file.read(target, at, target.length - at, offset + at);
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  return true;
}
