import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { moveToTrash } from '../core/durable-files.js';
import { HoldfastError, describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import { newSegmentId, type SegmentId } from '../core/segment-id.js';
import { SegmentWriter } from './segment-writer.js';

/** The segment that takes commits, and what it holds so far. */
export interface OpenSegment {
  readonly id: SegmentId;
  readonly number: number;
  readonly writer: SegmentWriter;
  /** Ids of the channels and schemas written into it. */
  readonly channels: Set<number>;
  readonly schemas: Set<number>;
  /** Monotonic nanoseconds of the first commit; undefined: nothing committed yet. */
  startedAt: bigint | undefined;
}

interface SupplyPorts {
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

/** Makes segments, one ahead of time, so that rolling costs no directory fsyncs. */
export class SegmentSupply {
  private spare: Promise<OpenSegment | undefined> | undefined;
  private closed = false;
  /** Empty segments the disk did not let go of. */
  private readonly leftovers = new Set<string>();

  constructor(
    private readonly folder: DataFolder,
    private readonly ports: SupplyPorts,
    /** No segment has this number yet. */
    private number: number,
  ) {}

  get nextNumber(): number {
    return this.number;
  }

  /** Throws `WAL_WRITE_FAILED` where no segment can be made now. */
  async take(): Promise<OpenSegment> {
    const spare = await this.spare;
    this.spare = undefined;
    const segment = spare ?? (await this.create());
    await this.removeLeftovers();
    if (!this.closed) {
      this.spare = this.create().catch((error: unknown) => {
        this.ports.logger.warn('cannot open the next segment ahead of time', { error: describeError(error) });
        return undefined;
      });
    }
    return segment;
  }

  /** The same for good. */
  async close(): Promise<void> {
    this.closed = true;
    await this.rest();
  }

  /** Takes the spare segment away; the next {@link take} makes one again. */
  async rest(): Promise<void> {
    const spare = await this.spare;
    this.spare = undefined;
    if (spare) await this.discard(spare);
    await this.removeLeftovers();
  }

  /** Removes a segment in which nothing was committed; what cannot be removed now is tried again, at last by recovery. */
  async discard({ writer }: OpenSegment): Promise<void> {
    await writer.close(0);
    await this.remove(writer.directory);
  }

  private async create(): Promise<OpenSegment> {
    const number = this.number++;
    const id = newSegmentId(number, this.ports.random);
    const directory = join(this.folder.wal, id);
    try {
      const writer = await SegmentWriter.create(this.ports.fs, directory, id);
      return { id, number, writer, channels: new Set(), schemas: new Set(), startedAt: undefined };
    } catch (cause) {
      await this.remove(directory);
      throw new HoldfastError('WAL_WRITE_FAILED', `cannot create WAL segment ${id}`, { cause });
    }
  }

  private async removeLeftovers(): Promise<void> {
    for (const directory of [...this.leftovers]) await this.remove(directory);
  }

  // By way of the trash: a folder removed by half would look damaged to recovery.
  private async remove(directory: string): Promise<void> {
    const { fs, logger } = this.ports;
    this.leftovers.delete(directory);
    try {
      const trashed = await moveToTrash(fs, directory, this.folder.trash);
      if (trashed) await fs.rm(trashed, { recursive: true, force: true });
    } catch (error) {
      this.leftovers.add(directory);
      logger.warn('cannot remove an empty segment', { directory, error: describeError(error) });
    }
  }
}
