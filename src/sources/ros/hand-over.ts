import { crc32 } from 'node:zlib';

/**
 * Two subscriptions of one topic side by side, while one replaces the other with another QoS. Each message
 * passes once, from the side that delivers it first. Equal payloads are distinguished by counting: the n-th
 * copy passes when the first of the two sides has received it n times.
 */
export class HandOver {
  readonly #seen = { old: new Map<string, number>(), new: new Map<string, number>() };
  readonly #passed = new Map<string, number>();
  /** Number of messages seen, which bounds its length. */
  messages = 0;

  /** True: emit it; false: the other side delivered it already. */
  accept(side: 'old' | 'new', data: Uint8Array): boolean {
    this.messages++;
    const digest = `${data.byteLength}:${crc32(data)}`;
    const count = (this.#seen[side].get(digest) ?? 0) + 1;
    this.#seen[side].set(digest, count);
    const passed = this.#passed.get(digest) ?? 0;
    if (count <= passed) return false;
    this.#passed.set(digest, count);
    return true;
  }
}
