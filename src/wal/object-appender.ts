import { join } from 'node:path';
import { syncDirectory } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import { AppendFile } from './append-file.js';
import { objectFileName, type PlacedChunk } from './object-file.js';

/** Appends chunks to the object files of one segment, and makes each file when its first chunk comes. */
export class ObjectAppender {
  readonly #files = new Map<number, AppendFile>();
  /** A file was made since the directory was last synced. */
  #isDirectoryDirty = false;

  readonly #fs: FileSystem;
  readonly #directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /** Returns the bytes written. Chunks must come in the order of their offsets. Throws what the disk says. */
  async append({ file, ...chunk }: PlacedChunk, payloads: readonly Uint8Array[]): Promise<number> {
    const pieces = chunk.before.flatMap((head, i) => [head, payloads[i] as Uint8Array]);
    let { bytes } = chunk;
    let target = this.#files.get(file.number);
    if (!target) {
      target = await this.#create(file.number);
      pieces.unshift(file.header);
      bytes += file.header.byteLength;
    }
    pieces.push(chunk.after);
    await target.append(pieces, bytes);
    return bytes;
  }

  /** Makes everything appended so far durable, the files' names included. */
  async sync(): Promise<void> {
    const isDirty = this.#isDirectoryDirty;
    // A file that is made meanwhile needs the next sync.
    this.#isDirectoryDirty = false;
    await Promise.all([...this.#files.values()].map((file) => file.sync()));
    if (isDirty) await syncDirectory(this.#fs, this.#directory);
  }

  /** Never throws. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  async #create(number: number): Promise<AppendFile> {
    const file = new AppendFile(await this.#fs.open(join(this.#directory, objectFileName(number)), 'ax'));
    this.#files.set(number, file);
    this.#isDirectoryDirty = true;
    return file;
  }
}
