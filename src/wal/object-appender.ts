import { join } from 'node:path';
import { syncDirectory } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import { AppendFile } from './append-file.js';
import { objectFileName, type PlacedChunk } from './object-file.js';

/** Appends chunks to the object files of one segment. Creates each file with its first chunk. */
export class ObjectAppender {
  readonly #files = new Map<number, AppendFile>();
  /** A file was created since the last sync of the directory. */
  #isDirectoryDirty = false;

  readonly #fs: FileSystem;
  readonly #directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /**
   * Returns the number of bytes written. Chunks must come in the order of their offsets. Throws the error of
   * the disk.
   */
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

  /** Makes everything appended so far durable, including the names of the files. */
  async sync(): Promise<void> {
    const isDirty = this.#isDirectoryDirty;
    // A file that is created meanwhile needs the next sync.
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
