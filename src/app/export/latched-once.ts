import { createHash } from 'node:crypto';
import { isLatched } from '../../core/mcap/carried.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';

/** Payloads remembered per topic; the oldest is forgotten first. */
const MAX_DIGESTS = 1024;

/** By topic, the digests of latched payloads that were given. Plain data, kept with the progress. */
export type LatchedDigests = Readonly<Record<string, readonly string[]>>;

/**
 * Every segment repeats the latched messages of those before it, so that it stands alone; an export takes each
 * once, also when it is continued in another process.
 */
export class LatchedOnce {
  readonly #digests: Map<string, Set<string>>;
  readonly #latched = new WeakMap<McapChannel, boolean>();

  constructor(known: LatchedDigests = {}) {
    this.#digests = new Map(Object.entries(known).map(([key, digests]) => [key, new Set(digests)]));
  }

  accept({ channel, data }: McapMessage, robot: string): boolean {
    let latched = this.#latched.get(channel);
    if (latched === undefined) this.#latched.set(channel, (latched = isLatched(channel)));
    if (!latched) return true;
    const key = JSON.stringify([robot, channel.topic, channel.encoding, channel.schema.name]);
    let known = this.#digests.get(key);
    if (known === undefined) this.#digests.set(key, (known = new Set()));
    const digest = createHash('sha256').update(data).digest('base64');
    const repeated = known.delete(digest);
    known.add(digest);
    if (known.size > MAX_DIGESTS) known.delete(known.values().next().value!);
    return !(channel.carried && repeated);
  }

  digests(): LatchedDigests {
    return Object.fromEntries([...this.#digests].map(([key, digests]) => [key, [...digests]]));
  }
}
