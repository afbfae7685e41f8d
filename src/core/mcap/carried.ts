import { createHash } from 'node:crypto';
import { definitionKey } from '../message.js';
import type { McapMessage } from './block.js';
import { offersTransientLocal } from './qos.js';
import { CARRIED_KEY, type McapChannel } from './definitions.js';
import { present } from '../present.js';

/** Number of payloads remembered per topic; the oldest is forgotten first. */
const MAX_DIGESTS = 1024;

/** True for a channel whose messages are carried into later segments. */
export function isLatched(channel: McapChannel): boolean {
  return channel.carried || offersTransientLocal(channel.metadata['offered_qos_profiles']);
}

/** The channel's metadata without the mark that its messages are carried. */
export function originalMetadata(channel: McapChannel): Readonly<Record<string, string>> {
  const { [CARRIED_KEY]: _mark, ...rest } = channel.metadata;
  return rest;
}

/** By topic, the digests of the latched payloads that were handed out. Plain data. */
export type LatchedDigests = Readonly<Record<string, readonly string[]>>;

/**
 * Passes a carried message only if the same payload did not pass before on its topic. Segments that are read
 * in sequence then give each latched message once. A single segment still gives all the messages it carries.
 */
export class CarriedFilter {
  readonly #digests: Map<string, Set<string>>;
  readonly #latched = new WeakMap<McapChannel, boolean>();

  /** @param known state of an earlier reading that this one continues */
  constructor(known: LatchedDigests = {}) {
    this.#digests = new Map(Object.entries(known).map(([key, digests]) => [key, new Set(digests)]));
  }

  /** @param scope keeps equal topics apart, for example by robot */
  accept({ channel, data }: McapMessage, scope = ''): boolean {
    let latched = this.#latched.get(channel);
    if (latched === undefined) this.#latched.set(channel, (latched = isLatched(channel)));
    if (!latched) return true;
    const key = JSON.stringify([scope, channel.topic, channel.encoding, definitionKey(channel.schema)]);
    let known = this.#digests.get(key);
    if (known === undefined) this.#digests.set(key, (known = new Set()));
    const digest = createHash('sha256').update(data).digest('base64');
    const repeated = known.delete(digest);
    known.add(digest);
    if (known.size > MAX_DIGESTS) known.delete(present(known.values().next().value));
    return !(channel.carried && repeated);
  }

  /** State with which a later reading can continue this one. */
  digests(): LatchedDigests {
    return Object.fromEntries([...this.#digests].map(([key, digests]) => [key, [...digests]]));
  }
}
