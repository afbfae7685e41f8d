import { fullSequence } from '../full-sequence.js';
import { messageNumbering } from '../message-numbering.js';
import { SeenNumbers } from '../seen-numbers.js';
import type { McapMessage } from './block.js';
import type { McapChannel } from './definitions.js';

/**
 * Passes each message with an identity once. If several recorders share a consumer and one is killed before
 * it can acknowledge, both have stored the same message. Bounded as `SeenNumbers` is; messages without an
 * identity pass.
 */
export class IdentityFilter {
  readonly #seen: SeenNumbers;
  readonly #numberings = new WeakMap<McapChannel, string | null>();

  /** @param known state of an earlier reading that this one continues */
  constructor(known: Readonly<Record<string, string>> = {}) {
    this.#seen = new SeenNumbers(known);
  }

  accept({ channel, sequence }: McapMessage): boolean {
    let numbering = this.#numberings.get(channel);
    if (numbering === undefined) {
      numbering = messageNumbering(channel.metadata) ?? null;
      this.#numberings.set(channel, numbering);
    }
    if (numbering === null) return true;
    return this.#seen.add(numbering, Number(fullSequence(channel.metadata, sequence)));
  }

  /** State with which a later reading can continue this one; undefined if no message had an identity. */
  seen(): Readonly<Record<string, string>> | undefined {
    const seen = this.#seen.toJson();
    return Object.keys(seen).length > 0 ? seen : undefined;
  }
}
