import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import { HoldfastError, systemCode } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import type { Manifest } from '../core/manifest.js';
import type { SegmentSource } from './segment-source.js';

/** The local file is gone: evicted while it waited or was being sent. */
export class SegmentVanished extends Error {
  override readonly name = 'SegmentVanished';
}

/**
 * Reads a sealed file once from front to back and compares it with its manifest: the upload completes only if
 * the sent bytes are the sealed bytes.
 */
export class SegmentFile implements SegmentSource {
  readonly #handle: FileHandle;
  readonly #file: Manifest['file'];
  readonly #sha256: Hash = createHash('sha256');
  #crc32 = 0;
  #offset = 0;

  private constructor(handle: FileHandle, file: Manifest['file']) {
    this.#handle = handle;
    this.#file = file;
  }

  /** Throws {@link SegmentVanished}, or `SEGMENT_CORRUPT` if the size is already wrong. */
  static async open(fs: FileSystem, sealed: string, file: Manifest['file']): Promise<SegmentFile> {
    let handle: FileHandle;
    try {
      handle = await fs.open(join(sealed, file.name), 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') throw new SegmentVanished(`${file.name} is gone`, { cause: error });
      throw error;
    }
    try {
      const { size } = await handle.stat();
      if (size !== file.bytes) throw corrupt(file, 'bytes', size, file.bytes);
      return new SegmentFile(handle, file);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Fills `target` with the next bytes. Throws `SEGMENT_CORRUPT` if the file ends or cannot be read. */
  async read(target: Buffer): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      const at = this.#offset + filled;
      const { bytesRead } = await this.#readAt(target, filled, at);
      if (bytesRead === 0) throw corrupt(this.#file, 'bytes', at, this.#file.bytes);
      filled += bytesRead;
    }
    this.#offset += target.length;
    this.#sha256.update(target);
    this.#crc32 = crc32(target, this.#crc32);
  }

  /**
   * After the last byte: returns the SHA-256 in lower-case hex. Throws `SEGMENT_CORRUPT` unless the read bytes match
   * the manifest.
   */
  finish(): string {
    if (this.#offset !== this.#file.bytes) throw corrupt(this.#file, 'bytes', this.#offset, this.#file.bytes);
    if (this.#crc32 !== this.#file.crc32) throw corrupt(this.#file, 'crc32', this.#crc32, this.#file.crc32);
    const sha256 = this.#sha256.digest('hex');
    const expected = this.#file.sha256 ?? sha256;
    if (sha256 !== expected) throw corrupt(this.#file, 'sha256', sha256, expected);
    return sha256;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #readAt(target: Buffer, offset: number, position: number): Promise<{ bytesRead: number }> {
    try {
      return await this.#handle.read(target, offset, target.length - offset, position);
    } catch (cause) {
      if (systemCode(cause) !== 'EIO') throw cause;
      throw new HoldfastError('SEGMENT_CORRUPT', `${this.#file.name} cannot be read at byte ${position}`, {
        cause,
        facts: { name: this.#file.name, position },
      });
    }
  }
}

function corrupt(file: Manifest['file'], what: string, found: unknown, expected: unknown): HoldfastError {
  return new HoldfastError(
    'SEGMENT_CORRUPT',
    `${file.name} does not match its manifest: ${what} is ${String(found)}, expected ${String(expected)}`,
    { facts: { name: file.name, what, found, expected } },
  );
}
