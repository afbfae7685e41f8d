import type { Clock } from '../core/clock.js';
import { withOwnData, type Channel, type Message } from '../core/message.js';
import type { TopicField } from '../core/send-policy/topic-condition.js';
import type { TopicValue } from '../core/send-policy/topic-values.js';
import { MessageDecoder } from '../recordings/message-decoder.js';
import { fieldAt } from './field-at.js';

/** Larger messages are not read: one would take more of a turn than a condition is worth. */
const MESSAGE_MAX_BYTES = 256 * 1024;
/** Topics of robots that are followed. Those beyond stay unknown. */
const FOLLOWED_MAX = 1_000;

/** The last message of one topic of one robot. */
interface Followed {
  readonly fields: readonly string[];
  channel: Channel;
  /** Undefined once it is read. */
  unread: Message | undefined;
  receivedAt: bigint;
  values: readonly Pick<TopicValue, 'field' | 'value' | 'problem'>[];
}

/** The last messages of some topics. They are noted when they come, and read when somebody asks. */
export class FollowedTopics {
  readonly #clock: Clock;
  readonly #decoder = new MessageDecoder();
  readonly #fields = new Map<string, string[]>();
  readonly #followed = new Map<string, Followed>();
  #byChannel = new WeakMap<Channel, Followed>();

  constructor(clock: Clock, fields: readonly TopicField[]) {
    this.#clock = clock;
    for (const { topic, field } of fields) {
      const known = this.#fields.get(topic);
      if (known) known.push(field);
      else this.#fields.set(topic, [field]);
    }
  }

  get isEmpty(): boolean {
    return this.#fields.size === 0;
  }

  has(topic: string): boolean {
    return this.#fields.has(topic);
  }

  /** In the turn of the source: a look-up, and for a followed topic a copy if the memory is lent. */
  see(message: Message): void {
    const { channel, data } = message;
    const fields = this.#fields.get(channel.topic);
    const followed = fields && (this.#byChannel.get(channel) ?? this.#follow(channel, fields));
    if (!followed) return;
    followed.channel = channel;
    // The time of the message is that of a recording, if the source is one.
    followed.receivedAt = this.#clock.now();
    followed.unread = data.byteLength > MESSAGE_MAX_BYTES ? undefined : withOwnData(message);
    if (followed.unread) return;
    const problem = `a message of ${data.byteLength} bytes, read are up to ${MESSAGE_MAX_BYTES}`;
    followed.values = fields.map((field) => ({ field, problem }));
  }

  /** The channel has no publisher any more: its last message is not the state of anything. */
  gone(channel: Channel): void {
    const followed = this.#byChannel.get(channel);
    if (followed?.channel === channel) this.clear(channel);
  }

  /** Forgets one channel, or all. */
  clear(channel?: Channel): void {
    if (channel) this.#followed.delete(keyOf(channel));
    else this.#followed.clear();
    this.#byChannel = new WeakMap();
  }

  /** Reads what came since the last call. */
  values(): readonly TopicValue[] {
    return [...this.#followed.values()].flatMap((followed) => {
      const { channel, receivedAt, unread } = followed;
      if (unread) followed.values = this.#read(followed.fields, unread);
      followed.unread = undefined;
      // The last message of a latched topic is its state for as long as it is published.
      const at = String(channel.latched ? this.#clock.now() : receivedAt);
      const { robot, topic } = channel;
      return followed.values.map((read) => ({ topic, robot, at, ...read }));
    });
  }

  /** A topic that comes again with another type or from another source continues where it was. */
  #follow(channel: Channel, fields: readonly string[]): Followed | undefined {
    const key = keyOf(channel);
    let followed = this.#followed.get(key);
    if (!followed) {
      if (this.#followed.size >= FOLLOWED_MAX) return undefined;
      followed = { fields, channel, unread: undefined, receivedAt: 0n, values: [] };
      this.#followed.set(key, followed);
    }
    this.#byChannel.set(channel, followed);
    return followed;
  }

  #read(fields: readonly string[], { channel, data }: Message): Followed['values'] {
    const decoded = this.#decoder.decode({ ...channel, id: 0, carried: false }, data);
    return fields.map((field) => ({
      field,
      ...(decoded.ok ? fieldAt(decoded.value, field) : { problem: decoded.reason }),
    }));
  }
}

function keyOf({ robot, topic }: Channel): string {
  return JSON.stringify([robot, topic]);
}
