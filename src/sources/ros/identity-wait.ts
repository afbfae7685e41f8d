import { IDENTITY_WAIT_NS, isUnidentified, type Publisher } from './endpoints.js';

/** Publishers of one topic that were discovered before the names of their nodes; each is waited for once. */
export class IdentityWait {
  #since = new Map<string, bigint>();

  /** The present publishers. */
  update(publishers: readonly Publisher[], now: bigint): void {
    const nameless = publishers.filter(isUnidentified);
    this.#since = new Map(nameless.map(({ gid }) => [gid, this.#since.get(gid) ?? now]));
  }

  /** Whether one of them may still get a name: it was first seen less than three seconds ago. */
  isWaiting(now: bigint): boolean {
    return [...this.#since.values()].some((since) => now - since < IDENTITY_WAIT_NS);
  }

  /** Stops waiting for any of the publishers known so far. */
  giveUp(): void {
    for (const gid of this.#since.keys()) this.#since.set(gid, -IDENTITY_WAIT_NS);
  }
}
