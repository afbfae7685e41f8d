import type { ChannelQueue } from './channel-queue.js';

/**
 * First come, first served over the channels of one priority class. Every waiting message holds one turn,
 * which is a reference to its channel's queue. A circular buffer that doubles; its memory is freed when it is
 * empty.
 */
export class TurnLine {
  #slots: (ChannelQueue | undefined)[] = new Array<ChannelQueue | undefined>(INITIAL_SLOTS);
  #head = 0;
  #count = 0;

  get length(): number {
    return this.#count;
  }

  push(queue: ChannelQueue): void {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#count) & (this.#slots.length - 1)] = queue;
    this.#count++;
  }

  shift(): ChannelQueue | undefined {
    if (this.#count === 0) return undefined;
    const queue = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#count--;
    if (this.#count === 0 && this.#slots.length > RELEASE_ABOVE_SLOTS) {
      this.#slots = new Array<ChannelQueue | undefined>(INITIAL_SLOTS);
      this.#head = 0;
    }
    return queue;
  }

  #grow(): void {
    const bigger = new Array<ChannelQueue | undefined>(this.#slots.length * 2);
    for (let i = 0; i < this.#count; i++)
      bigger[i] = this.#slots[(this.#head + i) & (this.#slots.length - 1)];
    this.#slots = bigger;
    this.#head = 0;
  }
}

/** A power of two, so that wrapping is a mask. */
const INITIAL_SLOTS = 1024;
const RELEASE_ABOVE_SLOTS = 65_536;
