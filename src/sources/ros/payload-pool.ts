import type { PayloadLease } from '../../core/message.js';
import { present } from '../../core/present.js';

/** The bytes of one message; with a lease, their memory is lent. */
export interface Payload {
  readonly data: Buffer;
  readonly lease: PayloadLease | undefined;
}

/** Takes messages straight into the blocks that it is lent; described at `NativeHandle`. */
export interface BlockBorrower {
  addBlock(memory: Uint8Array): number;
  trimBlocks(): readonly number[];
}

/** Sizes of blocks between one power of two and the next, so that at most an eighth of a block is unused. */
const STEPS = 8;
/**
 * Memory for large payloads, used again after each of them. V8 frees memory outside its heap only when it collects
 * garbage: at hundreds of megabytes per second that costs a quarter of the processor time, or memory without a bound.
 * A block that is never given back is collected like any buffer.
 *
 * A block that comes back is lent to the borrower, so that it takes one of the next messages straight into it.
 */
export class PayloadPool {
  /** By the borrower's numbers. */
  readonly #lent = new Map<number, Buffer>();
  #borrower: BlockBorrower | undefined;
  #lentBytes = 0;
  readonly #maxBytes: number;
  readonly #wipe: ((memory: Buffer) => void) | undefined;

  /**
   * @param maxBytes - Memory that is lent at most; more is left to the garbage collector.
   * @param wipe - Called with each block that comes back.
   */
  constructor(borrower: BlockBorrower, maxBytes: number, wipe?: (memory: Buffer) => void) {
    this.#borrower = borrower;
    this.#maxBytes = maxBytes;
    this.#wipe = wipe;
  }

  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** New memory of so many bytes, for a message that the borrower had no block for. Its content is not defined. */
  allocate(bytes: number): Payload {
    return this.#payload(Buffer.allocUnsafeSlow(blockBytes(bytes)), bytes);
  }

  /** The message of so many bytes that the borrower returns in a block. */
  takeBack(number: number, bytes: number): Payload {
    return this.#payload(this.#remove(number), bytes);
  }

  /** Nobody needs the block any more. */
  give(block: Buffer): void {
    this.#wipe?.(block);
    if (this.#borrower === undefined || this.#lentBytes + block.byteLength > this.#maxBytes) return;
    this.#lent.set(this.#borrower.addBlock(block), block);
    this.#lentBytes += block.byteLength;
  }

  /** Gives up the blocks that were not needed since the last call; to be called about once a second. */
  trim(): void {
    for (const number of this.#borrower?.trimBlocks() ?? []) this.#remove(number);
  }

  /** The borrower has ended, and uses no block any more. */
  close(): void {
    this.#borrower = undefined;
    this.#lent.clear();
    this.#lentBytes = 0;
  }

  #payload(block: Buffer, bytes: number): Payload {
    return { data: block.subarray(0, bytes), lease: new Lease(this, block) };
  }

  #remove(number: number): Buffer {
    const block = present(this.#lent.get(number));
    this.#lent.delete(number);
    this.#lentBytes -= block.byteLength;
    return block;
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
