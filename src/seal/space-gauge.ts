import type { FileSystem } from '../core/file-system.js';

/** A disk with fewer free inodes is as full as one without bytes. */
const MIN_INODES = 16;

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Free space of one disk, kept up to date between two measurements by what is written meanwhile. */
export class SpaceGauge {
  /** Written since the last measurement. */
  #unseenBytes = 0;
  #settledBytes: number | undefined;

  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** Whether a measurement was settled. */
  get isKnown(): boolean {
    return this.#settledBytes !== undefined;
  }

  /** Bytes, without a call to the disk; infinite before the first settled measurement. */
  get freeBytes(): number {
    return this.#settledBytes === undefined ? Infinity : this.#settledBytes - this.#unseenBytes;
  }

  noteWritten(bytes: number): void {
    this.#unseenBytes += bytes;
  }

  /** Throws the error of the disk. */
  async measure(): Promise<DiskSpace> {
    const seenBytes = this.#unseenBytes;
    const disk = await this.#fs.statfs(this.#path);
    // What was written during the call may or may not be in its answer, so it stays counted.
    this.#unseenBytes -= seenBytes;
    const noInodes = disk.files > 0 && disk.ffree < MIN_INODES;
    return { freeBytes: noInodes ? 0 : disk.bavail * disk.bsize, totalBytes: disk.blocks * disk.bsize };
  }

  /** From here on {@link freeBytes} starts at this measurement. */
  settle(freeBytes: number): void {
    this.#settledBytes = freeBytes;
  }
}
