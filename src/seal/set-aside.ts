import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind } from '../core/documents/document.js';
import { unsealedSchema } from '../core/documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { SegmentId } from '../core/segment-id.js';

/** In the data folder: the WAL segments that could not be sealed. */
export const UNSEALED_FILE = 'unsealed.json';
/** Maximum number recorded; later ones are only counted. A segment that cannot be sealed is rare. */
const RECORDS_MAX = 1_000;

/** One WAL segment that could not be sealed. */
export interface UnsealedSegment {
  readonly id: SegmentId;
  /** When it was first set aside, decimal nanoseconds since the Unix epoch. */
  readonly at: string;
  /** The last failure, in words. */
  readonly error: string;
}

interface UnsealedFile {
  readonly version: 1;
  readonly segments: readonly UnsealedSegment[];
}

/** Schema of `unsealed.json`. */
export const unsealedFiles = documentKind<UnsealedFile>('list of unsealed segments', unsealedSchema);

export interface SetAsidePorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly logger: Logger;
}

/**
 * The segments that cannot be sealed, recorded until they are. A restart tries them again, and reports until
 * then that their messages are in no MCAP.
 */
export class SetAside {
  readonly #ports: SetAsidePorts;
  readonly #segments = new Map<SegmentId, UnsealedSegment>();
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: SetAsidePorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#segments.size;
  }

  /** The segment that has waited longest. */
  get first(): UnsealedSegment | undefined {
    return this.#segments.values().next().value;
  }

  /**
   * Reads the list of an earlier process, limited to segments still in `wal/`. A damaged file counts as
   * missing.
   */
  async load(isInWal: (id: SegmentId) => boolean): Promise<void> {
    const { fs, folder, logger } = this.#ports;
    const bytes = await readStateIfReadable(fs, join(folder.root, UNSEALED_FILE));
    if (bytes === undefined) return;
    const file = unsealedFiles.parseIfValid(bytes.toString('utf8'));
    if (!file) logger.warn('unsealed.json is damaged; what cannot be sealed is found again', {});
    for (const one of file?.segments ?? []) if (isInWal(one.id)) this.#segments.set(one.id, one);
    if (this.size !== file?.segments.length) await this.#write();
  }

  /** Recorded when this resolves, if the disk accepts it. Never rejects. */
  async add(id: SegmentId, at: bigint, error: string): Promise<void> {
    const known = this.#segments.get(id);
    if (!known && this.size >= RECORDS_MAX) return;
    this.#segments.set(id, { id, at: known?.at ?? String(at), error });
    await this.#write();
  }

  /** It was sealed after all. Never rejects. */
  async delete(id: SegmentId): Promise<void> {
    if (this.#segments.delete(id)) await this.#write();
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeNow());
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const { fs, folder, logger } = this.#ports;
    const path = join(folder.root, UNSEALED_FILE);
    const content: UnsealedFile = { version: 1, segments: [...this.#segments.values()] };
    try {
      if (this.size === 0) await fs.rm(path, { force: true });
      else await writeFileDurably(fs, path, `${JSON.stringify(content, null, 1)}\n`);
    } catch (error) {
      logger.warn('the list of segments that cannot be sealed cannot be written', {
        error: describeError(error),
      });
    }
  }
}
