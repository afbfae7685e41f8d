import type { GapReason } from '../core/gap.js';
import { channelKey, type Channel, type Message, type Priority } from '../core/message.js';
import { ChannelQueue, type ChannelRule } from './channel-queue.js';
import type { DropLedger } from './drop-ledger.js';
import { TurnLine } from './turn-line.js';
import { VictimChoice } from './victim-choice.js';

export interface BufferLimits {
  /** Maximum payload bytes of all channels together. */
  readonly totalMaxBytes: number;
  /** Maximum number of channels of the recording; messages of further ones are dropped with a gap. */
  readonly maxChannels: number;
}

const dropOrder: readonly Priority[] = ['low', 'normal', 'high'];
const takeOrder: readonly Priority[] = ['high', 'normal', 'low'];

/**
 * All received messages that are not in a batch yet. Bounded in bytes per channel and in total. A channel
 * over its own limit acts by its policy; over the total limit, the lowest class drops first. An empty queue
 * always accepts one message, so that a channel of huge messages is recorded too, unless the message exceeds
 * the total limit by itself.
 */
export class IngestBuffer {
  bytes = 0;
  messages = 0;
  /** Monotonic time since which a message has been waiting here; the group commit sets it. */
  oldestAt: bigint | undefined;
  /** Replaces the policy's reason while commits fail, so that a gap names the cause. */
  stalledBy: GapReason | undefined;

  /** While set, called with every message when it is queued. Must not throw. */
  onQueued: ((message: Message) => void) | undefined;

  readonly #queues = new Map<Channel, ChannelQueue | null>();
  readonly #byKey = new Map<string, ChannelQueue>();
  readonly #victims = new VictimChoice();
  readonly #lines: Record<Priority, TurnLine> = {
    high: new TurnLine(),
    normal: new TurnLine(),
    low: new TurnLine(),
  };

  /** Bytes beyond a total that was lowered meanwhile. */
  #allowance = 0;

  #limits: BufferLimits;
  readonly #ruleFor: (channel: Channel) => ChannelRule;
  readonly #drops: DropLedger;

  constructor(limits: BufferLimits, ruleFor: (channel: Channel) => ChannelRule, drops: DropLedger) {
    this.#limits = limits;
    this.#ruleFor = ruleFor;
    this.#drops = drops;
  }

  /** The queue of a channel, created on first use; undefined beyond `maxChannels`. */
  queueOf(channel: Channel): ChannelQueue | undefined {
    const known = this.#queues.get(channel);
    if (known !== undefined) return known ?? undefined;
    const key = channelKey(channel);
    let queue = this.#byKey.get(key);
    if (!queue && this.#byKey.size < this.#limits.maxChannels) {
      queue = new ChannelQueue(channel, this.#ruleFor(channel));
      this.#byKey.set(key, queue);
    }
    this.#queues.set(channel, queue ?? null);
    if (queue) queue.references++;
    return queue;
  }

  /** The queue of a channel, even if its source no longer refers to it. */
  knownQueue(channel: Channel): ChannelQueue | undefined {
    return this.#queues.get(channel) ?? this.#byKey.get(channelKey(channel));
  }

  /**
   * Takes over new limits, and asks for every channel's rule again. Waiting messages are not dropped: they
   * may stay until they are taken, and only new messages meet the new limits.
   */
  reconfigure(limits: BufferLimits): void {
    this.#limits = limits;
    this.#allowance = this.bytes;
    for (const [channel, queue] of this.#queues) {
      // Refused for lack of channels: there may be room now.
      if (queue === null) this.#queues.delete(channel);
    }
    for (const queue of this.#byKey.values()) {
      this.#victims.remove(queue);
      queue.rule = this.#ruleFor(queue.channel);
      queue.allowance = queue.bytes;
      this.#victims.update(queue);
    }
  }

  /** The source will not refer to this channel object again. */
  forget(channel: Channel): void {
    const queue = this.#queues.get(channel);
    if (queue) queue.references--;
    this.#queues.delete(channel);
  }

  allQueues(): IterableIterator<ChannelQueue> {
    return this.#byKey.values();
  }

  /** Waiting turns: one of each message in a queue, and stale ones of dropped messages. */
  get turns(): number {
    return Object.values(this.#lines).reduce((sum, line) => sum + line.length, 0);
  }

  push(message: Message): void {
    const queue = this.queueOf(message.channel);
    if (!queue) {
      this.#drops.refuse(message, 'memory_limit');
      message.lease?.release();
      return;
    }
    const size = message.data.byteLength;
    queue.received++;
    queue.receivedBytes += size;
    queue.lastReceivedAt = message.receivedAt;
    if (queue.rule.policy !== 'block' && !this.#makeRoom(queue, message, size)) return;
    queue.push(message);
    this.#victims.update(queue);
    this.bytes += size;
    this.messages++;
    if (queue.staleTurns > 0) queue.staleTurns--;
    else this.#lines[queue.rule.priority].push(queue);
    this.onQueued?.(message);
  }

  /** The next message by class and arrival, or undefined if none waits. */
  shift(): Message | undefined {
    for (const priority of takeOrder) {
      const message = this.#shiftFrom(this.#lines[priority]);
      if (message) return message;
    }
    return undefined;
  }

  #shiftFrom(line: TurnLine): Message | undefined {
    for (let queue = line.shift(); queue; queue = line.shift()) {
      if (queue.length > 0) return this.#removeOldest(queue);
      queue.staleTurns--;
    }
    return undefined;
  }

  #removeOldest(queue: ChannelQueue): Message {
    const message = queue.shift();
    this.#victims.update(queue);
    this.bytes -= message.data.byteLength;
    this.messages--;
    if (this.#allowance > this.bytes) this.#allowance = this.bytes;
    if (queue.allowance > queue.bytes) queue.allowance = queue.bytes;
    return message;
  }

  #makeRoom(queue: ChannelQueue, message: Message, size: number): boolean {
    const { policy } = queue.rule;
    const queueMaxBytes = Math.max(queue.rule.queueMaxBytes, queue.allowance);
    const totalMaxBytes = Math.max(this.#limits.totalMaxBytes, this.#allowance);
    const largest = Math.min(queue.rule.queueMaxBytes, this.#limits.totalMaxBytes);
    if (size > largest) return this.#refuse(queue, message, 'message_too_large');
    while (queue.length > 0 && queue.bytes + size > queueMaxBytes) {
      if (policy === 'drop-newest') return this.#refuse(queue, message, 'queue_full_drop_newest');
      this.#dropOldest(queue, 'queue_full_drop_oldest');
    }
    while (this.bytes + size > totalMaxBytes) {
      if (!this.#dropLowest(queue)) return this.#refuse(queue, message, 'memory_limit');
    }
    return true;
  }

  #refuse(queue: ChannelQueue, message: Message, reason: GapReason): false {
    queue.dropped++;
    this.#drops.drop(message, this.stalledBy ?? reason, queue.length === 0);
    message.lease?.release();
    return false;
  }

  #dropOldest(queue: ChannelQueue, reason: GapReason): void {
    const message = this.#removeOldest(queue);
    queue.staleTurns++;
    queue.dropped++;
    this.#drops.drop(message, this.stalledBy ?? reason, true);
    message.lease?.release();
  }

  /**
   * Takes one message from the fullest channel (within a factor of two) of the lowest class that is not above
   * the new message's class: the flooding channel pays, not its neighbours. False: no channel can give way.
   */
  #dropLowest(newcomer: ChannelQueue): boolean {
    for (const priority of dropOrder) {
      const queue = this.#victims.pick(priority, newcomer);
      if (queue) {
        this.#dropOldest(queue, 'memory_limit');
        return true;
      }
      if (priority === newcomer.rule.priority) return false;
    }
    return false;
  }
}
