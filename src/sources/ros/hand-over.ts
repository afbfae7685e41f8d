import { crc32 } from 'node:zlib';

/**
 * Two subscriptions of one topic side by side, while one takes over from the other with another quality of
 * service: each message is let through once, whichever brings it first. Equal payloads are told apart by
 * counting: the n-th copy is let through when the first of the two sides has seen it n times.
 */
export class HandOver {
  private readonly seen = { old: new Map<string, number>(), new: new Map<string, number>() };
  private readonly passed = new Map<string, number>();
  /** Messages looked at, for the bound on its length. */
  messages = 0;

  /** True: emit it; false: the other side brought it already. */
  accept(side: 'old' | 'new', data: Uint8Array): boolean {
    this.messages++;
    const digest = `${data.byteLength}:${crc32(data)}`;
    const count = (this.seen[side].get(digest) ?? 0) + 1;
    this.seen[side].set(digest, count);
    const passed = this.passed.get(digest) ?? 0;
    if (count <= passed) return false;
    this.passed.set(digest, count);
    return true;
  }
}
