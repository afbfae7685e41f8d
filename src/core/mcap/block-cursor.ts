import type { BlockCache } from './block-cache.js';
import {
  blockBytes,
  extractBlock,
  logTimeAt,
  messageAt,
  messageBytes,
  type Block,
  type McapMessage,
} from './block.js';
import type { BlockRef } from './block-ref.js';
import { orderOf } from './block-order.js';
import type { Selected } from './block-selection.js';

/** Maximum number of messages handed out at once. */
const MAX_RUN = 256;

/** A decoded block with its selected messages in log-time order. */
interface OrderedBlock extends Block {
  readonly order: Uint32Array;
}

/** A block that is partly read. The cache may evict and reload its content; the position is kept. */
export class BlockCursor {
  /** Log time of the next message, or a lower bound of it. */
  time: bigint;
  #isOpen = false;
  #count = 0;
  #position = 0;
  /** Copies of the next messages, left behind when the block was evicted. */
  #ahead: Block | undefined;
  #aheadAt = 0;
  #timeBehind = 0n;

  readonly #selected: Selected;
  readonly #cache: BlockCache;

  constructor(
    readonly ref: BlockRef,
    selected: Selected,
    cache: BlockCache,
  ) {
    this.#selected = selected;
    this.#cache = cache;
    this.time = ref.from;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isDone(): boolean {
    return this.#position >= this.#count;
  }

  /** Decodes the block when its time has come. */
  open(block: Block | undefined): void {
    this.#isOpen = true;
    if (block === undefined) return;
    const { order } = this.#ordered(block);
    this.#count = order.length;
    if (order.length > 0) this.time = logTimeAt(block, order[0]!);
  }

  /** True if the next messages are available; otherwise the block must be decoded again, see {@link refill}. */
  get isReady(): boolean {
    return this.#ahead !== undefined || this.#cache.get(this.ref) !== undefined;
  }

  refill(block: Block): void {
    this.#ordered(block);
  }

  /**
   * The next messages, as long as `isNext`; at least one. Afterwards {@link time} is the time of the message
   * that follows them.
   */
  take(isNext: () => boolean): McapMessage[] {
    return this.#ahead === undefined ? this.#takeFromBlock(isNext) : this.#takeAhead(this.#ahead, isNext);
  }

  close(): void {
    this.#dropAhead();
    this.#cache.delete(this.ref);
  }

  #takeFromBlock(isNext: () => boolean): McapMessage[] {
    const block = this.#cache.get(this.ref) as OrderedBlock;
    const { order } = block;
    const from = this.#position;
    const maxBytes = this.#cache.runMaxBytes();
    let bytes = 0;
    do {
      bytes += messageBytes(block, order[this.#position++]!);
      if (this.isDone) break;
      this.time = logTimeAt(block, order[this.#position]!);
    } while (this.#position - from < MAX_RUN && bytes < maxBytes && isNext());
    const indexes = order.subarray(from, this.#position);
    if (!this.#cache.isCrowded) return Array.from(indexes, (index) => messageAt(block, index));
    const copy = extractBlock(block, indexes);
    return Array.from(indexes, (_, i) => messageAt(copy, i));
  }

  #takeAhead(ahead: Block, isNext: () => boolean): McapMessage[] {
    const run: McapMessage[] = [];
    do {
      run.push(messageAt(ahead, this.#aheadAt++));
      this.#position++;
      if (this.#aheadAt >= ahead.offsets.length) {
        this.time = this.#timeBehind;
        this.#dropAhead();
        break;
      }
      this.time = logTimeAt(ahead, this.#aheadAt);
    } while (run.length < MAX_RUN && isNext());
    return run;
  }

  /** The order is computed again with the block: for all blocks it would take more memory than the blocks. */
  #ordered(block: Block): OrderedBlock {
    const ordered = { ...block, order: orderOf(block, this.#selected) };
    this.#cache.set(this.ref, ordered, () => this.#leave(ordered));
    return ordered;
  }

  /** The block is evicted; copies of its next messages stay. */
  #leave(block: OrderedBlock): void {
    const { order } = block;
    const maxBytes = this.#cache.aheadMaxBytes();
    let end = this.#position;
    for (let bytes = 0; end < order.length; end++) {
      bytes += messageBytes(block, order[end]!);
      if (bytes > maxBytes) break;
    }
    if (end === this.#position) return;
    this.#ahead = extractBlock(block, order.subarray(this.#position, end));
    this.#aheadAt = 0;
    this.#cache.countAhead(blockBytes(this.#ahead));
    if (end < order.length) this.#timeBehind = logTimeAt(block, order[end]!);
  }

  #dropAhead(): void {
    if (this.#ahead === undefined) return;
    this.#cache.countAhead(-blockBytes(this.#ahead));
    this.#ahead = undefined;
  }
}
