import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { batchKey } from '../../core/delivery.js';
import type { FileSystem } from '../../core/file-system.js';
import type { DerivedFile } from '../../core/segment-deriver.js';

/** The batches made of one segment, as files that are sent in order. */
export class BatchFiles {
  readonly files: DerivedFile[] = [];
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #segment: string;

  /** @param segment - Name of the sealed file without `.mcap`. */
  constructor(fs: FileSystem, folder: string, segment: string) {
    this.#fs = fs;
    this.#folder = folder;
    this.#segment = segment;
  }

  async add(data: Uint8Array): Promise<void> {
    const number = this.files.length + 1;
    const path = join(this.#folder, String(number));
    await using handle = await this.#fs.open(path, 'w');
    await handle.writeFile(data);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const digest = { bytes: data.byteLength, sha256, crc32: crc32(data) };
    this.files.push({ key: batchKey(this.#segment, number), path, ...digest });
  }
}
