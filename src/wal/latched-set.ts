import { channelKey, withOwnData, type Message } from '../core/message.js';
import { latchedDepth } from './latched-depth.js';
import { TfStaticMerge } from './tf-static-merge.js';

const TF_TYPES = new Set(['tf2_msgs/msg/TFMessage', 'tf2_msgs/TFMessage']);

interface Kept {
  messages: Message[];
  depth: number;
  merge: TfStaticMerge | undefined;
}

/**
 * The latched messages at the start of each new segment, so that it can be read alone. Per channel these are
 * the last `depth` distinct payloads (the sum of its publishers' offers); `/tf_static` is merged per child
 * frame. Bounded in bytes: over the limit, the newest payloads of a channel are not carried, and {@link
 * overflowed} counts them.
 */
export class LatchedSet {
  bytes = 0;
  overflowed = 0;
  readonly #kept = new Map<string, Kept>();

  /** @param maxBytes - May change; messages that are already carried stay. */
  constructor(public maxBytes: number) {}

  /** Takes in a message of a latched channel. */
  add(message: Message): void {
    const key = channelKey(message.channel);
    let kept = this.#kept.get(key);
    if (!kept) {
      const isTf = TF_TYPES.has(message.channel.schema.name) && message.channel.encoding === 'cdr';
      kept = {
        messages: [],
        depth: latchedDepth(message.channel.metadata['offered_qos_profiles']),
        merge: isTf ? new TfStaticMerge() : undefined,
      };
      this.#kept.set(key, kept);
    }
    const own = withOwnData(message);
    if (!kept.merge || !this.#merge(kept.merge, own)) this.#append(kept, own);
  }

  /** Forgets all latched messages: without a subscription they may change unseen. */
  clear(): void {
    this.#kept.clear();
    this.bytes = 0;
  }

  /** All carried messages, channels in no particular order. */
  messages(): Message[] {
    return [...this.#kept.values()].flatMap(({ messages, merge }) => {
      const merged = merge?.message();
      return merged ? [...messages, merged] : messages;
    });
  }

  /** False: it cannot be decoded. */
  #merge(merge: TfStaticMerge, message: Message): boolean {
    const others = this.bytes - merge.bytes;
    const result = merge.add(message, this.maxBytes - others);
    this.bytes = others + merge.bytes;
    if (result === 'full') this.overflowed++;
    return result !== 'undecodable';
  }

  #append(kept: Kept, message: Message): void {
    const before = sizeOf(kept.messages);
    const next = appendDistinct(kept.messages, message, kept.depth);
    const after = sizeOf(next);
    if (this.bytes - before + after > this.maxBytes) {
      this.overflowed++;
      return;
    }
    kept.messages = next;
    this.bytes += after - before;
  }
}

function appendDistinct(messages: readonly Message[], message: Message, depth: number): Message[] {
  const same = (other: Message): boolean =>
    Buffer.compare(other.data, message.data) === 0 && other.publisher === message.publisher;
  return [...messages.filter((other) => !same(other)), message].slice(-depth);
}

function sizeOf(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + message.data.byteLength, 0);
}
