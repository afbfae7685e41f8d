import { natsIdentity, natsNumbering } from '../nats-identity.js';
import { SeenNumbers } from '../seen-numbers.js';
import type { McapMessage } from './block.js';
import type { McapChannel } from './definitions.js';

/**
 * Lets each message that has an identity pass once: where several recorders share a consumer, one that was
 * killed before it could acknowledge has stored what another was given too. Bounded as `SeenNumbers` is; what
 * has no identity passes.
 */
export class IdentityFilter {
  readonly #seen: SeenNumbers;
  readonly #numberings = new WeakMap<McapChannel, string | null>();

  /** @param known of an earlier reading that this one continues */
  constructor(known: Readonly<Record<string, string>> = {}) {
    this.#seen = new SeenNumbers(known);
  }

  accept({ channel, sequence }: McapMessage): boolean {
    let numbering = this.#numberings.get(channel);
    if (numbering === undefined) {
      const identity = natsIdentity(channel, sequence);
      numbering = identity === undefined ? null : natsNumbering(identity.stream, identity.streamCreated);
      this.#numberings.set(channel, numbering);
    }
    if (numbering === null) return true;
    return this.#seen.add(numbering, Number(natsIdentity(channel, sequence)!.sequence));
  }

  /** What a later reading needs to continue this one; undefined where nothing had an identity. */
  seen(): Readonly<Record<string, string>> | undefined {
    const seen = this.#seen.toJson();
    return Object.keys(seen).length > 0 ? seen : undefined;
  }
}
