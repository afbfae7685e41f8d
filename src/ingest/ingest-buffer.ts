import type { GapReason } from '../core/gap.js';
import { channelKey, type Channel, type Message, type Priority } from '../core/message.js';
import { ChannelQueue, type ChannelRule } from './channel-queue.js';
import type { DropLedger } from './drop-ledger.js';
import { TurnLine } from './turn-line.js';
import { VictimChoice } from './victim-choice.js';

export interface BufferLimits {
  /** Payload bytes of all channels together. */
  readonly totalMaxBytes: number;
  /** Channels the recording may have; messages of further ones are dropped with a gap. */
  readonly maxChannels: number;
}

const dropOrder: readonly Priority[] = ['low', 'normal', 'high'];
const takeOrder: readonly Priority[] = ['high', 'normal', 'low'];

/**
 * Everything received and not yet in a batch. Bounded per channel and in total, in bytes. A channel over
 * its own limit acts by its policy; over the total limit the lowest class gives way first. One message is
 * always admitted into an empty queue, so that a channel of huge messages is still recorded, unless it
 * exceeds the total limit by itself.
 */
export class IngestBuffer {
  bytes = 0;
  messages = 0;
  /** Monotonic time since which something has been waiting here; kept by the group commit. */
  oldestAt: bigint | undefined;
  /** Given to drops instead of the policy's reason while commits fail, so that a gap names the cause. */
  stalledBy: GapReason | undefined;

  /** Called with every message as it is queued, while set. Must not throw. */
  onQueued: ((message: Message) => void) | undefined;

  private readonly queues = new Map<Channel, ChannelQueue | null>();
  private readonly byKey = new Map<string, ChannelQueue>();
  private readonly victims = new VictimChoice();
  private readonly lines: Record<Priority, TurnLine> = {
    high: new TurnLine(),
    normal: new TurnLine(),
    low: new TurnLine(),
  };

  /** Bytes it may hold beyond a total that was lowered meanwhile. */
  private allowance = 0;

  constructor(
    private limits: BufferLimits,
    private readonly ruleFor: (channel: Channel) => ChannelRule,
    private readonly drops: DropLedger,
  ) {}

  /** The queue of a channel, made on first sight; undefined past `maxChannels`. */
  queueOf(channel: Channel): ChannelQueue | undefined {
    const known = this.queues.get(channel);
    if (known !== undefined) return known ?? undefined;
    const key = channelKey(channel);
    let queue = this.byKey.get(key);
    if (!queue && this.byKey.size < this.limits.maxChannels) {
      queue = new ChannelQueue(channel, this.ruleFor(channel));
      this.byKey.set(key, queue);
    }
    this.queues.set(channel, queue ?? null);
    if (queue) queue.references++;
    return queue;
  }

  /** The queue a channel had, even where its source no longer refers to it. */
  knownQueue(channel: Channel): ChannelQueue | undefined {
    return this.queues.get(channel) ?? this.byKey.get(channelKey(channel));
  }

  /**
   * Takes over new limits, and asks for every channel's rule again. What waits already is not dropped for it:
   * it may stay until it is taken, and only newcomers meet the new limits.
   */
  reconfigure(limits: BufferLimits): void {
    this.limits = limits;
    this.allowance = this.bytes;
    for (const [channel, queue] of this.queues) {
      // Refused for want of channels: there may be room now.
      if (queue === null) this.queues.delete(channel);
    }
    for (const queue of this.byKey.values()) {
      this.victims.remove(queue);
      queue.rule = this.ruleFor(queue.channel);
      queue.allowance = queue.bytes;
      this.victims.update(queue);
    }
  }

  /** The source will not refer to this channel object again. */
  forget(channel: Channel): void {
    const queue = this.queues.get(channel);
    if (queue) queue.references--;
    this.queues.delete(channel);
  }

  allQueues(): IterableIterator<ChannelQueue> {
    return this.byKey.values();
  }

  push(message: Message): void {
    const queue = this.queueOf(message.channel);
    if (!queue) {
      this.drops.drop(message, 'memory_limit', false);
      return;
    }
    const size = message.data.byteLength;
    queue.received++;
    queue.receivedBytes += size;
    queue.lastReceivedAt = message.receivedAt;
    if (queue.rule.policy !== 'block' && !this.makeRoom(queue, message, size)) return;
    queue.push(message);
    this.victims.update(queue);
    this.bytes += size;
    this.messages++;
    if (queue.staleTurns > 0) queue.staleTurns--;
    else this.lines[queue.rule.priority].push(queue);
    this.onQueued?.(message);
  }

  /** The next message by class and arrival, or undefined when none waits. */
  shift(): Message | undefined {
    for (const priority of takeOrder) {
      const message = this.shiftFrom(this.lines[priority]);
      if (message) return message;
    }
    return undefined;
  }

  private shiftFrom(line: TurnLine): Message | undefined {
    for (let queue = line.shift(); queue; queue = line.shift()) {
      if (queue.length > 0) return this.removeOldest(queue);
      queue.staleTurns--;
    }
    return undefined;
  }

  private removeOldest(queue: ChannelQueue): Message {
    const message = queue.shift();
    this.victims.update(queue);
    this.bytes -= message.data.byteLength;
    this.messages--;
    if (this.allowance > this.bytes) this.allowance = this.bytes;
    if (queue.allowance > queue.bytes) queue.allowance = queue.bytes;
    return message;
  }

  private makeRoom(queue: ChannelQueue, message: Message, size: number): boolean {
    const { policy } = queue.rule;
    const queueMaxBytes = Math.max(queue.rule.queueMaxBytes, queue.allowance);
    const totalMaxBytes = Math.max(this.limits.totalMaxBytes, this.allowance);
    if (size > this.limits.totalMaxBytes) return this.refuse(queue, message, 'message_too_large');
    while (queue.length > 0 && queue.bytes + size > queueMaxBytes) {
      if (policy === 'drop-newest') return this.refuse(queue, message, 'queue_full_drop_newest');
      this.dropOldest(queue, 'queue_full_drop_oldest');
    }
    while (this.bytes + size > totalMaxBytes) {
      if (!this.dropLowest(queue)) return this.refuse(queue, message, 'memory_limit');
    }
    return true;
  }

  private refuse(queue: ChannelQueue, message: Message, reason: GapReason): false {
    queue.dropped++;
    this.drops.drop(message, this.stalledBy ?? reason, queue.length === 0);
    return false;
  }

  private dropOldest(queue: ChannelQueue, reason: GapReason): void {
    const message = this.removeOldest(queue);
    queue.staleTurns++;
    queue.dropped++;
    this.drops.drop(message, this.stalledBy ?? reason, true);
  }

  /**
   * Takes one message from the fullest channel (within a factor of two) of the lowest class that is not above
   * the newcomer's: the one that floods pays, not its neighbours. False: nobody can give way.
   */
  private dropLowest(newcomer: ChannelQueue): boolean {
    for (const priority of dropOrder) {
      const queue = this.victims.pick(priority, newcomer);
      if (queue) {
        this.dropOldest(queue, 'memory_limit');
        return true;
      }
      if (priority === newcomer.rule.priority) return false;
    }
    return false;
  }
}
