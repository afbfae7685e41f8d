import type { PayloadLease } from '../../core/message.js';

/** The bytes of one message; with a lease, their memory is lent. */
export interface Payload {
  readonly data: Buffer;
  readonly lease: PayloadLease | undefined;
}

/** Sizes of blocks between one power of two and the next, so that at most an eighth of a block is unused. */
const STEPS = 8;
/** Idle memory at most; more is left to the garbage collector. */
const IDLE_MAX_BYTES = 64 * 1024 * 1024;

/** Blocks of one size that nobody uses. */
interface Shelf {
  readonly idle: Buffer[];
  /** The fewest since the last trim: so many were not needed. */
  fewest: number;
}

/**
 * Memory for large payloads, used again after each of them. V8 frees memory outside its heap only when it collects
 * garbage: at hundreds of megabytes per second that costs a quarter of the processor time, or memory without a bound.
 * A block that is never given back is collected like any buffer.
 */
export class PayloadPool {
  readonly #shelves = new Map<number, Shelf>();
  #idleBytes = 0;
  readonly #wipe: ((memory: Buffer) => void) | undefined;

  /** @param wipe - Called with each block that comes back. */
  constructor(wipe?: (memory: Buffer) => void) {
    this.#wipe = wipe;
  }

  /** Bytes of blocks that nobody uses. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** Memory of so many bytes; its content is not defined. */
  take(bytes: number): Payload {
    const size = blockBytes(bytes);
    const shelf = this.#shelfOf(size);
    let block = shelf.idle.pop();
    if (block === undefined) block = Buffer.allocUnsafeSlow(size);
    else this.#idleBytes -= size;
    if (shelf.idle.length < shelf.fewest) shelf.fewest = shelf.idle.length;
    return { data: block.subarray(0, bytes), lease: new Lease(this, block) };
  }

  /** Takes a block back. */
  give(block: Buffer): void {
    this.#wipe?.(block);
    if (this.#idleBytes + block.byteLength > IDLE_MAX_BYTES) return;
    this.#shelfOf(block.byteLength).idle.push(block);
    this.#idleBytes += block.byteLength;
  }

  /** Gives up the blocks that were idle since the last call; to be called about once a second. */
  trim(): void {
    for (const [size, shelf] of this.#shelves) {
      shelf.idle.length -= shelf.fewest;
      this.#idleBytes -= shelf.fewest * size;
      shelf.fewest = shelf.idle.length;
    }
  }

  #shelfOf(size: number): Shelf {
    let shelf = this.#shelves.get(size);
    if (shelf === undefined) this.#shelves.set(size, (shelf = { idle: [], fewest: 0 }));
    return shelf;
  }
}

class Lease implements PayloadLease {
  #block: Buffer | undefined;
  readonly #pool: PayloadPool;

  constructor(pool: PayloadPool, block: Buffer) {
    this.#pool = pool;
    this.#block = block;
  }

  release(): void {
    const block = this.#block;
    this.#block = undefined;
    if (block !== undefined) this.#pool.give(block);
  }
}

/** The size of the block for so many bytes. */
function blockBytes(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(Math.max(bytes, STEPS))) / STEPS;
  return Math.ceil(bytes / step) * step;
}
