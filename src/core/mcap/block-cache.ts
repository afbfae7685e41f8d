import { blockBytes, type Block } from './block.js';

/** Maximum size of the decoded blocks held at once, for all readers that share the cache. */
export const BLOCK_CACHE_BYTES = 64 * 1024 * 1024;

/** The copies that evicted blocks leave behind may take this multiple of the cache's size. */
const AHEAD_FACTOR = 2;
/** One block may take one part in this many of the space for copies, so that the first do not take it all. */
const LEAST_SHARES = 4;
/** Once the copies fill their space, later ones are smaller by this factor until it shrinks again. */
const TIGHT_FACTOR = 8;
/** Part of the cache size that is handed out per step when blocks no longer fit, for all readers together. */
const RUN_FACTOR = 0.25;

interface Entry {
  readonly block: Block;
  /** Called when a block that is still needed has to be evicted. */
  readonly onEvict: () => void;
}

/**
 * A cache of the decoded chunks that reading still needs, evicting the least recently used. If more chunks
 * overlap in time than fit, an evicted chunk leaves a copy of its next messages behind. It is decoded again
 * only after those were read.
 *
 * Memory: `maxBytes` for blocks, or one larger block; at most about four times `maxBytes` for the copies.
 */
export class BlockCache {
  readonly #entries = new Map<object, Entry>();
  #bytes = 0;
  #sharers = 0;
  #aheadBytes = 0;
  #isCrowded = false;

  /** @param maxBytes limit for all blocks together; one block is always kept */
  constructor(readonly maxBytes: number = BLOCK_CACHE_BYTES) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the copies that blocks left behind. */
  get aheadBytes(): number {
    return this.#aheadBytes;
  }

  /** Blocks still in use were evicted, so the messages handed out now must not keep a block in memory. */
  get isCrowded(): boolean {
    return this.#isCrowded;
  }

  get(key: object): Block | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.block;
  }

  set(key: object, block: Block, onEvict: () => void = () => {}): void {
    this.delete(key);
    const bytes = blockBytes(block);
    this.makeRoom(bytes);
    if (bytes > this.maxBytes) this.#isCrowded = true;
    this.#entries.set(key, { block, onEvict });
    this.#bytes += bytes;
  }

  /** Evicts blocks until this many bytes fit, or none is left. Called before the bytes are allocated. */
  makeRoom(bytes: number): void {
    for (const [key, { onEvict }] of this.#entries) {
      if (this.#bytes + bytes <= this.maxBytes) return;
      this.#isCrowded = true;
      onEvict();
      this.delete(key);
    }
  }

  delete(key: object): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= blockBytes(entry.block);
  }

  /** Changes the number of blocks read at the same time, which share the bytes. */
  share(blocks: number): void {
    this.#sharers += blocks;
  }

  /** Changes the bytes of copies by this amount. */
  countAhead(bytes: number): void {
    this.#aheadBytes += bytes;
  }

  /** Number of bytes that an evicted block may leave behind. */
  aheadMaxBytes(): number {
    const max = AHEAD_FACTOR * this.maxBytes;
    const share = max / Math.max(LEAST_SHARES, this.#sharers);
    return this.#aheadBytes > max ? share / TIGHT_FACTOR : share;
  }

  /** Number of bytes of messages to hand out at once; the first message is always handed out. */
  runMaxBytes(): number {
    return this.#isCrowded ? (RUN_FACTOR * this.maxBytes) / Math.max(LEAST_SHARES, this.#sharers) : Infinity;
  }
}
