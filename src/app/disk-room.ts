import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { Retention } from '../seal/retention.js';
import type { Sealer } from '../seal/sealer.js';
import type { Wal } from '../wal/wal.js';

/** New segments, `head.json`, manifests: what an end writes beside messages. */
const END_BYTES = 512 * 1024;
/** What a payload byte takes on the disk, with what is written about it, for records of a usual size. */
const BYTES_PER_BYTE = 1.1;
const BYTES_PER_MESSAGE = 64;

export interface DiskRoomParts {
  readonly buffer: IngestBuffer;
  readonly wal: Wal;
  readonly sealer: Sealer;
  readonly retention: Retention;
}

/**
 * Keeps true what an end depends on: all that is in memory fits on the disk. A source that can wait is taken from
 * only while that holds (the space below the floor and the ballast count, they are kept for this); at the end the
 * last commits go first, and sealing, which needs space of its own for a while, comes after them: a segment left
 * unsealed is sealed at the next start, a message left in memory is lost.
 */
export class DiskRoom {
  /** Taken out of the buffer and not committed yet, as it will be on the disk. */
  private takenBytes = 0;
  private sealBytes = 0;

  constructor(private readonly parts: DiskRoomParts) {}

  /** A commit begins (with what it will take on the disk) or has ended (0). */
  taken(bytes: number): void {
    const { wal, sealer } = this.parts;
    this.takenBytes = bytes;
    // One segment at a time is written a second time, in its sealed form, before its first goes.
    this.sealBytes = Math.max(wal.open?.bytes ?? 0, sealer.largestBytes);
  }

  /** More may be taken in. Asked before every message. */
  get isLeft(): boolean {
    const { retention } = this.parts;
    return retention.state.admits && this.neededBytes < retention.writableBytes;
  }

  /** Sources are ending: the space there is belongs to what is in memory. */
  prepareEnd(): void {
    const { retention, sealer } = this.parts;
    const { full, admits } = retention.state;
    if (full || !admits) sealer.hold();
    if (this.neededBytes > retention.freeBytes) retention.releaseBallast();
  }

  /** Everything is committed, or given up. */
  ended(): void {
    this.parts.sealer.resume();
  }

  private get neededBytes(): number {
    const { bytes, messages } = this.parts.buffer;
    const waiting = bytes * BYTES_PER_BYTE + messages * BYTES_PER_MESSAGE;
    return waiting + this.takenBytes + this.sealBytes + END_BYTES;
  }
}
