import { Budget } from './budget.js';

/** Smaller parts are allocated individually: a whole part buffer for each would starve the others. */
const POOLED_MIN_BYTES = 256 * 1024;

/** Memory lent for one part. */
export interface LentBuffer {
  readonly data: Buffer;
  /**
   * Returns the memory. `reusable`: no code can still use the bytes. After a failed or cancelled call some
   * code may, and a reused buffer would send the bytes of another part. Idempotent.
   */
  release(reusable: boolean): void;
}

/**
 * The part buffers of all uploads: bounded and reused. Garbage collection notices memory outside its heap
 * late, and a long upload would grow to several times its need.
 */
export class PartBuffers {
  readonly #partBytes: number;
  readonly #budget: Budget;
  readonly #free: Buffer[] = [];

  constructor(count: number, partBytes: number) {
    this.#partBytes = partBytes;
    this.#budget = new Budget(count * partBytes);
  }

  /** Waits for memory. Parts larger than usual (planned with other options) get it when nothing else is out. */
  async take(bytes: number, signal: AbortSignal): Promise<LentBuffer> {
    const isPooled = bytes >= POOLED_MIN_BYTES && bytes <= this.#partBytes;
    const giveBack = await this.#budget.take(isPooled ? this.#partBytes : bytes, signal);
    const whole = isPooled ? (this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes)) : undefined;
    let isOut = true;
    return {
      data: whole ? whole.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes),
      release: (reusable) => {
        if (!isOut) return;
        isOut = false;
        if (whole && reusable) this.#free.push(whole);
        giveBack();
      },
    };
  }
}
