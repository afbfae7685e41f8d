import { createHash } from 'node:crypto';
import type { McapMessage } from './block.js';
import { offersTransientLocal } from './qos.js';
import { CARRIED_KEY, type McapChannel } from './definitions.js';

/** Payloads remembered per topic; the oldest is forgotten first. */
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

/** By topic, the digests of latched payloads that were given. Plain data. */
export type LatchedDigests = Readonly<Record<string, readonly string[]>>;

/**
 * Lets a carried message pass only where the same payload was not already given on its topic: segments read
 * one after the other give each latched message once, and a single segment still gives all it carries.
 */
export class CarriedFilter {
  readonly #digests: Map<string, Set<string>>;
  readonly #latched = new WeakMap<McapChannel, boolean>();

  /** @param known of an earlier reading that this one continues */
  constructor(known: LatchedDigests = {}) {
    this.#digests = new Map(Object.entries(known).map(([key, digests]) => [key, new Set(digests)]));
  }

  /** @param scope keeps apart what has the same topic, e.g. the robot */
  accept({ channel, data }: McapMessage, scope = ''): boolean {
    let latched = this.#latched.get(channel);
    if (latched === undefined) this.#latched.set(channel, (latched = isLatched(channel)));
    if (!latched) return true;
    const key = JSON.stringify([scope, channel.topic, channel.encoding, channel.schema.name]);
    let known = this.#digests.get(key);
    if (known === undefined) this.#digests.set(key, (known = new Set()));
    const digest = createHash('sha256').update(data).digest('base64');
    const repeated = known.delete(digest);
    known.add(digest);
    if (known.size > MAX_DIGESTS) known.delete(known.values().next().value!);
    return !(channel.carried && repeated);
  }

  /** What a later reading needs to continue this one. */
  digests(): LatchedDigests {
    return Object.fromEntries([...this.#digests].map(([key, digests]) => [key, [...digests]]));
  }
}
