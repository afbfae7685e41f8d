import { HoldfastError, systemCode } from '../core/errors.js';
import type { DataFolder } from '../core/data-folder.js';
import type { FileSystem } from '../core/file-system.js';

/** Detects that the recorder's data folder was removed, or replaced by another one. */
export class FolderWatch {
  readonly #fs: Pick<FileSystem, 'stat'>;
  readonly #folder: DataFolder;
  #known: string | undefined;

  constructor(fs: Pick<FileSystem, 'stat'>, folder: DataFolder) {
    this.#fs = fs;
    this.#folder = folder;
  }

  /** The error to end with, once the folder is gone; undefined while it exists, or while this is unknown. */
  async check(): Promise<HoldfastError | undefined> {
    const now = await this.#identity();
    if (now === undefined) return undefined;
    this.#known ??= now;
    if (now === this.#known) return undefined;
    const { root } = this.#folder;
    const what = now === GONE ? 'was removed' : 'was replaced by another folder';
    return new HoldfastError(
      'DATA_FOLDER_GONE',
      `the data folder ${root} ${what} during recording; the messages since then are lost with it`,
      { facts: { path: root } },
    );
  }

  async #identity(): Promise<string | undefined> {
    try {
      const { dev, ino } = await this.#fs.stat(this.#folder.wal);
      return `${dev} ${ino}`;
    } catch (error) {
      // A disk that does not answer is not a missing folder.
      return systemCode(error) === 'ENOENT' ? GONE : undefined;
    }
  }
}

const GONE = 'gone';
