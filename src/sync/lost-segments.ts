import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { LOST_FILE, lostFiles, type LostFile, type LostSegment } from '../core/lost-segments.js';
import { present } from '../core/present.js';
import type { SerialQueue } from '../core/serial-queue.js';

/**
 * Maximum number recorded per sink; the same as the number of receipts of evicted segments, which a scrub
 * asks for.
 */
const RECORDS_MAX = 1_000;

export interface LostPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly uri: string;
  /** Of the sink with this store. */
  readonly form: string;
  /** Shared by all writers of `lost.json`. */
  readonly turns: SerialQueue;
  readonly onTrouble: (message: string) => void;
}

/**
 * The evicted segments that this sink's store no longer holds. The alarm for each is recorded, also over
 * restarts, until the store holds it again or a user acknowledges it.
 */
export class LostSegments {
  readonly #ports: LostPorts;
  readonly #segments = new Map<string, LostSegment>();
  #isWritten = true;

  constructor(ports: LostPorts) {
    this.#ports = ports;
  }

  /** Those that are not acknowledged. */
  get open(): readonly LostSegment[] {
    return [...this.#segments.values()].filter(({ isAcknowledged }) => isAcknowledged !== true);
  }

  has(name: string): boolean {
    return this.#segments.has(name);
  }

  /** Reads the findings of earlier processes. With `acknowledge`, these raise no alarm any more. */
  async load(acknowledge: boolean): Promise<void> {
    for (const one of await this.#read()) {
      if (this.#isOurs(one)) this.#segments.set(one.name, one);
    }
    if (!acknowledge || this.open.length === 0) return;
    for (const one of this.open) this.#segments.set(one.name, { ...one, isAcknowledged: true });
    await this.#write();
  }

  /** Recorded when this resolves, or kept for {@link retry}; never rejects. */
  async add(lost: Omit<LostSegment, 'form' | 'uri' | 'isAcknowledged'>): Promise<void> {
    const { form, uri } = this.#ports;
    const known = this.#segments.get(lost.name);
    if (!known && this.#segments.size >= RECORDS_MAX) {
      this.#segments.delete(present(this.#segments.keys().next().value));
    }
    this.#segments.set(lost.name, known ?? { ...lost, form, uri });
    if (!known) await this.#write();
  }

  /** The store holds it after all. Never rejects. */
  async delete(name: string): Promise<void> {
    if (this.#segments.delete(name)) await this.#write();
  }

  async retry(): Promise<void> {
    if (!this.#isWritten) await this.#write();
  }

  #isOurs({ form, uri }: LostSegment): boolean {
    return form === this.#ports.form && uri === this.#ports.uri;
  }

  async #read(): Promise<readonly LostSegment[]> {
    const { fs, folder } = this.#ports;
    const bytes = await readStateIfReadable(fs, join(folder.root, LOST_FILE));
    // Damaged: the scrub finds the lost segments again.
    return lostFiles.parseIfValid(bytes?.toString('utf8'))?.segments ?? [];
  }

  #write(): Promise<void> {
    const { fs, folder, turns, onTrouble } = this.#ports;
    const path = join(folder.root, LOST_FILE);
    this.#isWritten = false;
    return turns
      .run(async () => {
        const others = (await this.#read()).filter((one) => !this.#isOurs(one));
        const content: LostFile = { version: 1, segments: [...others, ...this.#segments.values()] };
        if (content.segments.length === 0) await fs.rm(path, { force: true });
        else await writeFileDurably(fs, path, `${JSON.stringify(content, null, 1)}\n`);
        this.#isWritten = true;
      })
      .catch((error: unknown) => onTrouble(`lost segments cannot be put on record: ${describeError(error)}`));
  }
}
