import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import { SerialQueue } from '../core/serial-queue.js';

/** Name of the ballast inside the data folder. */
export const BALLAST_FILE = 'ballast';
/** Bytes written in one step: few enough not to delay the WAL's own writes. */
const STEP_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;

export interface BallastPorts {
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

/**
 * Removes a ballast file without owning it: for a start on a disk so full that not even the role lock can be
 * taken. Returns whether there was one.
 */
export async function releaseBallast(fs: FileSystem, folder: DataFolder): Promise<boolean> {
  try {
    await fs.unlink(join(folder.root, BALLAST_FILE));
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * A file of real bytes that reserves space for the moment when the disk is full. Then it is released, so that
 * open segments can be closed and sealed, and manifests, receipts and sync's state can be written. It grows
 * in small steps and only into room that the caller grants; recording never waits for it.
 */
export class Ballast {
  /** Bytes it holds now. */
  bytes = 0;
  /** Bytes that were released for a full disk and not reserved again yet. */
  owedBytes = 0;
  readonly #queue = new SerialQueue();
  readonly #path: string;
  // Not zeros: a compressing file system would reserve no space for them.
  #block: Buffer = Buffer.alloc(0);

  #targetBytes: number;
  readonly #ports: BallastPorts;

  private constructor(folder: DataFolder, targetBytes: number, ports: BallastPorts) {
    this.#targetBytes = targetBytes;
    this.#ports = ports;
    this.#path = join(folder.root, BALLAST_FILE);
    this.#fillBlock();
  }

  /** Takes over the file of an earlier process, cut to the present size. If that fails, less is reserved. */
  static async open(folder: DataFolder, targetBytes: number, ports: BallastPorts): Promise<Ballast> {
    const ballast = new Ballast(folder, targetBytes, ports);
    await ballast.#adopt();
    return ballast;
  }

  /** Grows by at most one step into `roomBytes` of free space. */
  grow(roomBytes: number): Promise<void> {
    return this.#queue.run(async () => {
      const step = Math.min(STEP_BYTES, this.#targetBytes - this.bytes);
      if (step <= 0 || roomBytes < step) return;
      const grown = await this.#write(step);
      this.bytes += grown;
      this.owedBytes = Math.max(0, this.owedBytes - grown);
    });
  }

  /** Sets another size: releases the excess at once, grows as usual. Never rejects. */
  resize(targetBytes: number): Promise<void> {
    return this.#queue.run(async () => {
      this.#targetBytes = targetBytes;
      this.#fillBlock();
      this.owedBytes = Math.min(this.owedBytes, Math.max(0, targetBytes - this.bytes));
      if (this.bytes <= targetBytes) return;
      try {
        await this.#ports.fs.truncate(this.#path, targetBytes);
        this.bytes = targetBytes;
      } catch (error) {
        this.#ports.logger.warn('the ballast cannot be made smaller', { error: describeError(error) });
      }
    });
  }

  /**
   * Releases the space. With `owed` (the disk is full) it counts as missing until it has grown again. Without
   * `owed` it only makes room (a quota).
   */
  release(owed: boolean): Promise<void> {
    return this.#queue.run(async () => {
      if (this.bytes === 0) return;
      try {
        await this.#ports.fs.unlink(this.#path);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') {
          this.#ports.logger.warn('the ballast cannot be released', { error: describeError(error) });
          return;
        }
      }
      this.#ports.logger.warn('the ballast was released', { bytes: this.bytes, diskFull: owed });
      if (owed) this.owedBytes += this.bytes;
      this.bytes = 0;
    });
  }

  #fillBlock(): void {
    if (this.#block.length < Math.min(BLOCK_BYTES, this.#targetBytes)) {
      this.#block = Buffer.from(this.#ports.random(Math.min(BLOCK_BYTES, this.#targetBytes)));
    }
  }

  async #adopt(): Promise<void> {
    const { fs, logger } = this.#ports;
    try {
      const { size, blocks } = await fs.stat(this.#path);
      // A power cut may leave a size without blocks: such a file reserves no space.
      const real = Math.min(size, blocks * 512);
      if (this.#targetBytes === 0 || real < size) await fs.unlink(this.#path);
      else {
        if (size > this.#targetBytes) await fs.truncate(this.#path, this.#targetBytes);
        this.bytes = Math.min(size, this.#targetBytes);
      }
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        logger.warn('the ballast cannot be used', { error: describeError(error) });
      }
    }
  }

  /** Bytes that were written before the disk refused. */
  async #write(bytes: number): Promise<number> {
    const { fs, logger } = this.#ports;
    let written = 0;
    try {
      const handle = await fs.open(this.#path, 'a');
      try {
        while (written < bytes) {
          const { bytesWritten } = await handle.write(
            this.#block,
            0,
            Math.min(this.#block.length, bytes - written),
          );
          written += bytesWritten;
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      logger.debug('the ballast cannot grow', { error: describeError(error) });
    }
    return written;
  }
}
