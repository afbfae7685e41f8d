import type { Channel, Message, Priority, QueuePolicy } from '../core/message.js';

/** How one channel is queued; compiled once, when the channel appears. */
export interface ChannelRule {
  readonly priority: Priority;
  readonly policy: QueuePolicy;
  /** Payload bytes this channel may hold in memory before `policy` acts. */
  readonly queueMaxBytes: number;
}

/** The messages of one channel that wait for a batch: a deque, bounded in bytes by its owner. */
export class ChannelQueue {
  readonly channel: Channel;
  rule: ChannelRule;
  /** Bytes it may hold beyond a limit that was lowered meanwhile: what it held then, less what has gone. */
  allowance = 0;
  bytes = 0;
  /** Turns in the owner's line that belong to messages dropped since; reused or skipped. */
  staleTurns = 0;
  /** Where the owner's choice of victims has filed this queue. */
  level = 0;
  /** Payload bytes and messages this channel was ever handed, and lost to its policy. */
  received = 0;
  receivedBytes = 0;
  dropped = 0;
  /** `receivedAt` of the last message handed to it. */
  lastReceivedAt: bigint | undefined;
  /** Channel objects a source may still refer to; 0: it said that this channel is gone. */
  references = 0;
  /** Source number of the last message received (or known to precede it); -1: nothing is known. */
  lastSourceSequence = -1;

  private items: (Message | undefined)[] = [];
  private head = 0;

  constructor(channel: Channel, rule: ChannelRule) {
    this.channel = channel;
    this.rule = rule;
  }

  /** False once the source said that nobody publishes it any more. */
  get present(): boolean {
    return this.references > 0;
  }

  get length(): number {
    return this.items.length - this.head;
  }

  push(message: Message): void {
    this.items.push(message);
    this.bytes += message.data.byteLength;
  }

  /** The oldest message; only called when there is one. */
  shift(): Message {
    const message = this.items[this.head] as Message;
    this.items[this.head++] = undefined;
    this.bytes -= message.data.byteLength;
    // Compacting only when half is gone keeps shift() O(1) on average.
    if (this.head === this.items.length) {
      this.items.length = 0;
      this.head = 0;
    } else if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return message;
  }
}
