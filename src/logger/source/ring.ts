import { endianness } from 'node:os';

/**
 * A queue of records between one producer (a control loop) and one consumer (a worker thread) in a
 * SharedArrayBuffer. Invariants:
 *
 * - Only the producer stores WRITE and the counters up to LAST_REJECTED; only the consumer stores READ and the
 *   counters behind. WRITE is stored after the record it publishes, so that the consumer never sees half a record.
 * - Positions run from 0 to twice the capacity, so that "empty" (equal) and "full" (apart by the capacity) differ.
 * - A record lies in one piece, 8-byte aligned; what is left before the end of the buffer is skipped by a mark.
 *
 * ```
 * control  64 bytes    WRITE, READ: positions; ENTRIES_WRITTEN, ENTRIES_READ: counts, modulo 2^32
 * counters 256 bytes   float64, see RingCounter
 * records  capacity    float64 receive time (us since the Unix epoch; < 0: skip to the beginning),
 *                      uint32 length of the payload, the payload: CDR with its 4 bytes of header
 * ```
 */
const WRITE = 0;
const READ = 1;
const ENTRIES_WRITTEN = 2;
const ENTRIES_READ = 3;
const CONTROL_BYTES = 64;
const COUNTERS_BYTES = 256;
const RECORDS_AT = CONTROL_BYTES + COUNTERS_BYTES;

/** Bytes before the body of a record: its time, its length, the encapsulation header of CDR. */
export const RECORD_HEAD_BYTES = 16;
const SKIP = -1;
/** Typed arrays have the machine's byte order; the header states which one. */
const CDR_HEADER = Int32Array.from(
  new Int32Array(Uint8Array.of(0, endianness() === 'LE' ? 1 : 0, 0, 0).buffer),
)[0]!;

/** Counters since the ring was created, by producer and consumer; times are microseconds since the Unix epoch. */
export const RingCounter = {
  /** Entries dropped because the ring was full. */
  dropped: 0,
  firstDropped: 1,
  lastDropped: 2,
  /** Entries rejected because they were invalid. */
  rejected: 3,
  firstRejected: 4,
  lastRejected: 5,
  /** Numbers that were NaN or infinite, and are recorded as such. */
  notFinite: 6,
  /** Entries put into the ring. */
  logged: 7,
  /** By the consumer: how much of the above it has reported. */
  droppedTold: 8,
  rejectedTold: 9,
  /** By the consumer: taken out of the ring. */
  taken: 10,
  walWritten: 12,
  walLost: 13,
  csvWritten: 14,
  csvLost: 15,
} as const;
export type RingCounterName = keyof typeof RingCounter;

/** The smallest buffer for a ring with this many bytes of records. */
export function createRing(capacityBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(RECORDS_AT + Math.ceil(capacityBytes / 8) * 8);
}

class Ring {
  readonly capacity: number;
  readonly counters: Float64Array;
  protected readonly control: Int32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly bytes: Uint8Array;

  constructor(readonly shared: SharedArrayBuffer) {
    this.capacity = shared.byteLength - RECORDS_AT;
    this.control = new Int32Array(shared, 0, CONTROL_BYTES / 4);
    this.counters = new Float64Array(shared, CONTROL_BYTES, COUNTERS_BYTES / 8);
    this.f64 = new Float64Array(shared, RECORDS_AT);
    this.i32 = new Int32Array(shared, RECORDS_AT);
    this.bytes = new Uint8Array(shared, RECORDS_AT);
  }

  count(name: RingCounterName): number {
    return this.counters[RingCounter[name]]!;
  }

  /** Records in the ring. */
  get entries(): number {
    const written = Atomics.load(this.control, ENTRIES_WRITTEN);
    return (written - Atomics.load(this.control, ENTRIES_READ)) >>> 0;
  }

  /** Used bytes of the ring. */
  get usedBytes(): number {
    return this.distance(Atomics.load(this.control, WRITE), Atomics.load(this.control, READ));
  }

  protected distance(write: number, read: number): number {
    return write >= read ? write - read : write - read + 2 * this.capacity;
  }

  protected forward(position: number, bytes: number): number {
    const to = position + bytes;
    return to >= 2 * this.capacity ? to - 2 * this.capacity : to;
  }

  protected offset(position: number): number {
    return position >= this.capacity ? position - this.capacity : position;
  }
}

/** The producer's end: {@link reserve}, write the body at that offset, {@link commit}. Never waits. */
export class RingWriter extends Ring {
  #write = 0;
  #written = 0;
  // The consumer's position when last read: read again only if there is no room.
  #read = 0;
  #entriesRead = 0;
  /** Offset of the reserved record. */
  #next = 0;

  constructor(
    shared: SharedArrayBuffer,
    /** Records at most. */
    readonly limit: number,
  ) {
    super(shared);
  }

  /** Offset of a record with at most this many bytes, including its head, or -1 if there is no room for it. */
  reserve(maxBytes: number): number {
    if ((this.#written - this.#entriesRead) >>> 0 >= this.limit) {
      this.#entriesRead = Atomics.load(this.control, ENTRIES_READ);
      if ((this.#written - this.#entriesRead) >>> 0 >= this.limit) return -1;
    }
    const need = (maxBytes + 7) & ~7;
    const offset = this.offset(this.#write);
    const tail = this.capacity - offset;
    const total = need <= tail ? need : tail + need;
    if (this.distance(this.#write, this.#read) + total > this.capacity) {
      this.#read = Atomics.load(this.control, READ);
      if (this.distance(this.#write, this.#read) + total > this.capacity) return -1;
    }
    if (need <= tail) {
      this.#next = this.#write;
      return offset;
    }
    this.f64[offset >> 3] = SKIP;
    this.#next = this.forward(this.#write, tail);
    return 0;
  }

  /** Publishes the record at `offset`, whose body ends at `end`. */
  commit(offset: number, end: number, receivedUs: number): void {
    this.f64[offset >> 3] = receivedUs;
    this.i32[(offset + 8) >> 2] = end - offset - 12;
    this.i32[(offset + 12) >> 2] = CDR_HEADER;
    this.#write = this.forward(this.#next, (end - offset + 7) & ~7);
    this.#written = (this.#written + 1) | 0;
    this.counters[RingCounter.logged]!++;
    // The count before the position, because a consumer reads the position first.
    Atomics.store(this.control, ENTRIES_WRITTEN, this.#written);
    Atomics.store(this.control, WRITE, this.#write);
  }

  /** Counts an entry without room. */
  drop(nowUs: number): void {
    const { counters } = this;
    // The first that the consumer has not reported yet.
    if (counters[RingCounter.dropped] === counters[RingCounter.droppedTold]) {
      counters[RingCounter.firstDropped] = nowUs;
    }
    counters[RingCounter.lastDropped] = nowUs;
    counters[RingCounter.dropped]!++;
  }

  /** Counts a rejected entry. */
  reject(nowUs: number): void {
    const { counters } = this;
    if (counters[RingCounter.rejected] === counters[RingCounter.rejectedTold]) {
      counters[RingCounter.firstRejected] = nowUs;
    }
    counters[RingCounter.lastRejected] = nowUs;
    counters[RingCounter.rejected]!++;
  }
}

/** One record, in bytes of its own. */
export interface RingEntry {
  /** Microseconds since the Unix epoch. */
  readonly receivedUs: number;
  readonly data: Uint8Array;
}

/** The consumer's end. A new one continues where an earlier one stopped, whose thread died. */
export class RingReader extends Ring {
  /** The oldest record, which makes room for another; undefined if the ring is empty. */
  take(): RingEntry | undefined {
    const { control, f64, i32, bytes, counters } = this;
    let read = Atomics.load(control, READ);
    if (Atomics.load(control, WRITE) === read) return undefined;
    let offset = this.offset(read);
    if (f64[offset >> 3]! < 0) {
      read = this.forward(read, this.capacity - offset);
      offset = 0;
    }
    const receivedUs = f64[offset >> 3]!;
    const length = i32[(offset + 8) >> 2]!;
    const data = new Uint8Array(length);
    data.set(bytes.subarray(offset + 12, offset + 12 + length));
    const next = this.forward(read, (12 + length + 7) & ~7);
    counters[RingCounter.taken]!++;
    Atomics.store(control, READ, next);
    Atomics.store(control, ENTRIES_READ, (Atomics.load(control, ENTRIES_READ) + 1) | 0);
    return { receivedUs, data };
  }

  add(name: RingCounterName, count: number): void {
    this.counters[RingCounter[name]]! += count;
  }

  set(name: RingCounterName, value: number): void {
    this.counters[RingCounter[name]] = value;
  }
}
