import type { PooledFile } from './write-handles.js';

/** A file that was written whole. */
export interface WrittenFile {
  /** Size of the file. */
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What an export needs while it is unfinished: its plan and what is done. */
export const WORK_FOLDER = '.holdfast-export';

/** A file that does not exist until it is finished. */
export interface PlaceFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable under its name. */
  finish(): Promise<WrittenFile>;
  abort(): Promise<void>;
}

/** Where an export goes. Paths are relative, with `/`. */
export interface OutputPlace extends AsyncDisposable {
  readonly uri: string;
  create(path: string): Promise<PlaceFile>;
  /** Writes a small file whole and durably. */
  put(path: string, data: string): Promise<void>;
  get(path: string): Promise<string | undefined>;
  /** Paths directly below a folder, sorted. */
  list(folder: string): Promise<string[]>;
  remove(path: string): Promise<void>;
  /** Anything there that is no part of an export. */
  isEmpty(): Promise<boolean>;
  /** A local file for the time of the export. */
  openScratch(name: string): Promise<PooledFile>;
}
