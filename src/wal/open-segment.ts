import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { moveToTrash } from '../core/durable-files.js';
import { HoldfastError, describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import { newSegmentId, type SegmentId } from '../core/segment-id.js';
import { SegmentPlacement } from './placement.js';
import { SegmentCipher, type WalKeys } from './segment-cipher.js';
import { SegmentWriter } from './segment-writer.js';

/** The segment that receives commits, and its content so far. */
export interface OpenSegment {
  readonly id: SegmentId;
  readonly number: number;
  readonly writer: SegmentWriter;
  /** Ids of the channels and schemas written into it. */
  readonly channels: Set<number>;
  readonly schemas: Set<number>;
  /** Its payloads that are in object files. */
  readonly placement: SegmentPlacement;
  /**
   * A planned commit cannot be written, so {@link channels} lists more than the segment has. The segment must
   * end.
   */
  isSpoilt: boolean;
  /** Monotonic nanoseconds of the first commit; undefined if there was none yet. */
  startedAt: bigint | undefined;
}

interface SupplyPorts {
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Encrypts every segment with a fresh key, wrapped by the first of these. Default: none. */
  readonly keys?: WalKeys;
}

/** Creates segments, one ahead of time, so that a roll costs no directory fsyncs. */
export class SegmentSupply {
  #spare: Promise<OpenSegment | undefined> | undefined;
  #closed = false;
  /** Empty segments that could not be deleted. */
  readonly #leftovers = new Set<string>();

  readonly #folder: DataFolder;
  readonly #ports: SupplyPorts;
  /** No segment has this number yet. */
  #number: number;

  constructor(folder: DataFolder, ports: SupplyPorts, number: number) {
    this.#folder = folder;
    this.#ports = ports;
    this.#number = number;
  }

  get nextNumber(): number {
    return this.#number;
  }

  /** Throws `WAL_WRITE_FAILED` if no segment can be created now. */
  async take(): Promise<OpenSegment> {
    const spare = await this.#spare;
    this.#spare = undefined;
    const segment = spare ?? (await this.#create());
    await this.#removeLeftovers();
    if (!this.#closed) {
      this.#spare = this.#create().catch((error: unknown) => {
        this.#ports.logger.warn('cannot open the next segment ahead of time', {
          error: describeError(error),
        });
        return undefined;
      });
    }
    return segment;
  }

  /** The same, permanently. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.rest();
  }

  /** Removes the spare segment; the next {@link take} creates another. */
  async rest(): Promise<void> {
    const spare = await this.#spare;
    this.#spare = undefined;
    if (spare) await this.discard(spare);
    await this.#removeLeftovers();
  }

  /** Removes a segment without commits. If that fails now, it is tried again later, finally by recovery. */
  async discard({ writer }: OpenSegment): Promise<void> {
    await writer.close(0);
    await this.#remove(writer.directory);
  }

  async #create(): Promise<OpenSegment> {
    const number = this.#number++;
    const id = newSegmentId(number, this.#ports.random);
    const directory = join(this.#folder.wal, id);
    const { fs, keys: [key] = [] } = this.#ports;
    const cipher = key && SegmentCipher.create(key, this.#ports.random);
    try {
      const writer = await SegmentWriter.create(fs, directory, id, undefined, cipher);
      return {
        id,
        number,
        writer,
        channels: new Set(),
        schemas: new Set(),
        placement: new SegmentPlacement(),
        isSpoilt: false,
        startedAt: undefined,
      };
    } catch (cause) {
      await this.#remove(directory);
      throw new HoldfastError('WAL_WRITE_FAILED', `cannot create WAL segment ${id}`, { cause });
    }
  }

  async #removeLeftovers(): Promise<void> {
    for (const directory of [...this.#leftovers]) await this.#remove(directory);
  }

  // Moved to the trash first, because recovery would consider a half-removed folder damaged.
  async #remove(directory: string): Promise<void> {
    const { fs, logger } = this.#ports;
    this.#leftovers.delete(directory);
    try {
      const trashed = await moveToTrash(fs, directory, this.#folder.trash);
      if (trashed) await fs.rm(trashed, { recursive: true, force: true });
    } catch (error) {
      this.#leftovers.add(directory);
      logger.warn('cannot remove an empty segment', { directory, error: describeError(error) });
    }
  }
}
