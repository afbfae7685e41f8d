import { crc32 } from 'node:zlib';

/** Number of messages of the old subscription among which the last one of the new subscription is looked for. */
const TAIL_MESSAGES = 256;

/**
 * Two subscriptions of one topic side by side, while one replaces the other with another QoS. Each message
 * passes once, from the side that delivers it first. Equal payloads are distinguished by counting: the n-th
 * copy passes when the first of the two sides has received it n times.
 *
 * A middleware may deliver a message to one subscription some milliseconds later than to the other, through a
 * queue or a retransmission. When the old subscription ends, the messages that it delivered after the last one
 * of the new subscription are late there, and must not pass again.
 */
export class HandOver {
  readonly #seen = { old: new Map<string, number>(), new: new Map<string, number>() };
  readonly #passed = new Map<string, number>();
  /** The last messages of the old side, in order. */
  readonly #tail: string[] = [];
  #lastNew: string | undefined;
  /** Copies that the new side still has to deliver; undefined while both sides run. */
  #late: Map<string, number> | undefined;
  /** Number of messages seen, which bounds its length. */
  messages = 0;

  /** True: emit it; false: the other side delivered it already. */
  accept(side: 'old' | 'new', data: Uint8Array): boolean {
    const digest = `${data.byteLength}:${crc32(data)}`;
    if (this.#late) return !takeOne(this.#late, digest);
    this.messages++;
    if (side === 'new') this.#lastNew = digest;
    else {
      this.#tail.push(digest);
      if (this.#tail.length > 2 * TAIL_MESSAGES) this.#tail.splice(0, TAIL_MESSAGES);
    }
    const count = (this.#seen[side].get(digest) ?? 0) + 1;
    this.#seen[side].set(digest, count);
    const passed = this.#passed.get(digest) ?? 0;
    if (count <= passed) return false;
    this.#passed.set(digest, count);
    return true;
  }

  /** The old subscription has ended, and both sides were drained. From here on only late copies are refused. */
  endOld(): void {
    this.#late = new Map();
    const at = this.#lastNew === undefined ? -1 : this.#tail.lastIndexOf(this.#lastNew);
    if (at < 0) return;
    for (const digest of this.#tail.slice(at + 1)) {
      this.#late.set(digest, (this.#late.get(digest) ?? 0) + 1);
    }
  }

  /** The old subscription has ended, and no copy is late. */
  get isOver(): boolean {
    return this.#late?.size === 0;
  }
}

/** Returns whether there was one. */
function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key);
  if (count === undefined) return false;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
  return true;
}
