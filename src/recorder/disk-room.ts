import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { Retention } from '../seal/retention.js';
import type { Sealer } from '../seal/sealer.js';
import type { Wal } from '../wal/wal.js';

/** Bytes that the end of a recording writes beside messages: new segments, `head.json`, manifests. */
const END_BYTES = 512 * 1024;
/** Disk bytes per payload byte, with the overhead of records of a usual size. */
const BYTES_PER_BYTE = 1.1;
const BYTES_PER_MESSAGE = 64;

export interface DiskRoomParts {
  readonly buffer: IngestBuffer;
  readonly wal: Wal;
  readonly sealer: Sealer;
  readonly retention: Retention;
}

/**
 * Guarantees that everything in memory fits on the disk at the end. A source that supports backpressure is
 * read only while that holds; the space below the floor and the ballast count, because they are reserved for
 * this. At the end, the last commits come first. Sealing, which temporarily needs space of its own, comes
 * after them: an unsealed segment is sealed at the next start, but a message in memory would be lost.
 */
export class DiskRoom {
  /** Bytes on the disk of messages that were taken out of the buffer and are not committed yet. */
  #takenBytes = 0;
  #sealBytes = 0;

  readonly #parts: DiskRoomParts;

  constructor(parts: DiskRoomParts) {
    this.#parts = parts;
  }

  /** A commit begins (with its bytes on the disk) or has ended (with 0). */
  taken(bytes: number): void {
    const { wal, sealer } = this.#parts;
    this.#takenBytes = bytes;
    // One segment at a time exists twice, as WAL and sealed, before its WAL form is removed.
    this.#sealBytes = Math.max(wal.open?.bytes ?? 0, sealer.largestBytes);
  }

  /**
   * Bytes that must stay free so that a waiting segment can be sealed beside the commits in memory; 0 if no
   * segment waits.
   */
  get sealBytes(): number {
    const { wal, sealer } = this.#parts;
    if (sealer.waiting === 0) return 0;
    return Math.max(wal.open?.bytes ?? 0, sealer.largestBytes) + this.#takenBytes + END_BYTES;
  }

  /** Whether more may be accepted. Called before every message. */
  get isLeft(): boolean {
    const { retention } = this.#parts;
    return retention.state.admits && this.#neededBytes < retention.writableBytes;
  }

  /** Sources are ending: the free space is reserved for what is in memory. */
  prepareEnd(): void {
    const { retention, sealer } = this.#parts;
    const { full, admits } = retention.state;
    if (full || !admits) sealer.hold();
    if (this.#neededBytes > retention.freeBytes) retention.releaseBallast();
  }

  /** Everything is committed, or given up. */
  ended(): void {
    this.#parts.sealer.resume();
  }

  get #neededBytes(): number {
    const { bytes, messages } = this.#parts.buffer;
    const waiting = bytes * BYTES_PER_BYTE + messages * BYTES_PER_MESSAGE;
    return waiting + this.#takenBytes + this.#sealBytes + END_BYTES;
  }
}
