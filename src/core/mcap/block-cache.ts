import type { Block } from './block.js';

/** Decoded blocks kept at once, all readers that share the cache together. */
export const BLOCK_CACHE_BYTES = 64 * 1024 * 1024;

/**
 * Decoded chunks that reading still needs, least recently used out first. Where more chunks overlap in time
 * than fit, they are decoded again and again: slower, but bounded.
 */
export class BlockCache {
  readonly #blocks = new Map<object, Block>();
  #bytes = 0;

  /** @param maxBytes limit for all blocks together; one block is kept in any case */
  constructor(readonly maxBytes: number = BLOCK_CACHE_BYTES) {}

  get bytes(): number {
    return this.#bytes;
  }

  get(key: object): Block | undefined {
    const block = this.#blocks.get(key);
    if (block !== undefined) {
      this.#blocks.delete(key);
      this.#blocks.set(key, block);
    }
    return block;
  }

  set(key: object, block: Block): void {
    this.delete(key);
    this.#blocks.set(key, block);
    this.#bytes += sizeOf(block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.maxBytes || oldest === key) break;
      this.delete(oldest);
    }
  }

  delete(key: object): void {
    const block = this.#blocks.get(key);
    if (block === undefined) return;
    this.#blocks.delete(key);
    this.#bytes -= sizeOf(block);
  }
}

/** Records, and 16 bytes per message for its place and channel. */
const sizeOf = (block: Block): number => block.records.byteLength + 16 * block.offsets.length;
