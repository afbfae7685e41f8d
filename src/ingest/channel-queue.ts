import type { Channel, Message, QueueRule } from '../core/message.js';

/** How one channel is queued; computed once, when the channel appears. */
export interface ChannelRule extends QueueRule {
  /** Group of topics with sealed segments of their own; absent: none. */
  readonly group?: string;
}

/** The messages of one channel that wait for a batch: a deque, whose owner bounds it in bytes. */
export class ChannelQueue {
  readonly channel: Channel;
  rule: ChannelRule;
  /** Bytes beyond a limit that was lowered meanwhile: the content at that time, less what has left. */
  allowance = 0;
  bytes = 0;
  /** Turns in the owner's line of messages that were dropped since; reused or skipped. */
  staleTurns = 0;
  /** Where the owner's choice of victims has filed this queue. */
  level = 0;
  /** Payload bytes and messages that this channel ever received, and lost to its policy. */
  received = 0;
  receivedBytes = 0;
  dropped = 0;
  /** Messages left out by a rule; they are not dropped. */
  decimated = 0;
  /** `receivedAt` of the last message it received. */
  lastReceivedAt: bigint | undefined;
  /** Channel objects that a source may still refer to; 0: the source reported that the channel is gone. */
  references = 0;
  /** Source number of the last message received (or known to precede it); -1: unknown. */
  lastSourceSequence = -1;

  #items: (Message | undefined)[] = [];
  #head = 0;

  constructor(channel: Channel, rule: ChannelRule) {
    this.channel = channel;
    this.rule = rule;
  }

  /** False once the source reported that the channel has no publishers any more. */
  get present(): boolean {
    return this.references > 0;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(message: Message): void {
    this.#items.push(message);
    this.bytes += message.data.byteLength;
  }

  /** The oldest message; call it only if there is one. */
  shift(): Message {
    const message = this.#items[this.#head] as Message;
    this.#items[this.#head++] = undefined;
    this.bytes -= message.data.byteLength;
    // Compacting only once half is gone keeps shift() O(1) on average.
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }
}
