import type { ServerMessage } from '@foxglove/ws-protocol';
import type { Channel } from '../../core/message.js';
import { channelKey } from '../../core/message.js';
import { HoldfastError } from '../../core/errors.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import {
  readAdvertised,
  readSchema,
  sameChannel,
  toRecorderChannel,
  type Advertised,
} from './advertised-channel.js';
import { BINARY_MESSAGE_DATA, MESSAGE_HEAD_BYTES, ownPayload, readMessageHead } from './foxglove-protocol.js';
import type { GapCollector } from '../gap-collector.js';

/** More channels than any robot has; a server that advertises more is faulty. */
const MAX_CHANNELS = 100_000;
const STATUS_WARNING = 1;
const STATUS_ERROR = 2;
const MAX_INT64 = 2n ** 63n - 1n;

export interface SessionParts {
  readonly context: SourceContext;
  readonly emit: (event: SourceEvent) => void;
  readonly gaps: GapCollector;
  readonly maxMessageBytes: number;
  /** Channels of earlier connections by their key: the same channel stays the same object. */
  readonly known: Map<string, Channel>;
  readonly send: (message: object) => void;
}

interface Subscription {
  readonly id: number;
  readonly channelId: number;
  readonly channel: Channel;
  /** A later subscription has the same channel id. */
  isReplaced: boolean;
  /** The server has processed the unsubscription. */
  isRefused: boolean;
}

/** The protocol state of one connection, apart from the connection itself. */
export class FoxgloveSession {
  /** Nanoseconds since the Unix epoch of the last message; 0: none yet. */
  lastReceivedAt = 0n;
  readonly #parts: SessionParts;
  /** By the server's channel id: the present subscriptions. */
  readonly #subscribed = new Map<number, Subscription>();
  /** By channel id: the last subscription of a channel that was withdrawn on this connection. */
  readonly #withdrawn = new Map<number, Subscription>();
  /** By subscription, including withdrawn channels: their last messages may still be in transit. */
  readonly #subscriptions = new Map<number, Subscription>();
  #nextSubscription = 1;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  receiveText(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#bad(`text that is no JSON: ${text.slice(0, 80)}`, text.length);
      return;
    }
    const op = (message as { op?: unknown } | null)?.op;
    if (typeof op !== 'string') {
      this.#bad('a message without op', text.length);
      return;
    }
    this.#operation(message as ServerMessage);
  }

  receiveBinary(frame: Buffer): void {
    const { context, gaps, maxMessageBytes } = this.#parts;
    if (frame.length === 0) {
      this.#bad('an empty frame', 0);
      return;
    }
    // Times, service and asset responses: not requested, and not messages.
    if (frame[0] !== BINARY_MESSAGE_DATA) return;
    if (frame.length < MESSAGE_HEAD_BYTES) {
      this.#bad(`a message of ${frame.length} bytes`, frame.length);
      return;
    }
    const { subscription, timestamp } = readMessageHead(frame);
    const known = this.#subscriptions.get(subscription);
    const bytes = frame.length - MESSAGE_HEAD_BYTES;
    if (known === undefined) {
      this.#bad(`a message of unknown subscription ${subscription}`, bytes);
      return;
    }
    if (known.isReplaced) {
      this.#refuseTwice(known);
      return;
    }
    const { channel } = known;
    if (bytes > maxMessageBytes) {
      const detail = `larger than max_message_mb (${maxMessageBytes} bytes)`;
      gaps.add('message_too_large', channel.robot, channel.topic, bytes, detail);
      return;
    }
    const receivedAt = context.clock.now();
    this.lastReceivedAt = receivedAt;
    const publishedAt = timestamp > 0n && timestamp <= MAX_INT64 ? timestamp : receivedAt;
    this.#parts.emit({ kind: 'message', channel, data: ownPayload(frame), receivedAt, publishedAt });
  }

  /** A recorder does not subscribe to parameters, services and graphs. */
  #operation(message: ServerMessage): void {
    const { logger } = this.#parts.context;
    if (message.op === 'advertise') this.#advertise(listOf(message.channels));
    else if (message.op === 'unadvertise') this.#unadvertise(listOf(message.channelIds));
    else if (message.op === 'status') this.#status(message.level, message.message);
    else if (message.op === 'serverInfo') {
      logger.info('foxglove server', { name: message.name, capabilities: message.capabilities });
    }
  }

  #status(level: number, text: unknown): void {
    const { logger } = this.#parts.context;
    const fields = { message: String(text).slice(0, 1_000) };
    if (level === STATUS_ERROR) logger.error('foxglove server reports', fields);
    else if (level === STATUS_WARNING) logger.warn('foxglove server reports', fields);
    else logger.info('foxglove server reports', fields);
  }

  #advertise(entries: readonly unknown[]): void {
    const subscriptions: { id: number; channelId: number }[] = [];
    for (const entry of entries) {
      const read = readAdvertised(entry);
      if ('fault' in read) {
        this.#unreadable(read.fault, read.topic);
        continue;
      }
      const { id: channelId, topic } = read.value;
      const channel = this.#channelOf(read.value);
      const before = this.#subscribed.get(channelId);
      // Servers repeat themselves; a second subscription would deliver every message twice.
      if (before !== undefined && before.channel === channel) continue;
      if (before !== undefined) this.#unsubscribe(channelId, before);
      if (channel === undefined) continue;
      if (this.#subscribed.size >= MAX_CHANNELS) this.#unreadable('too many channels', topic);
      else subscriptions.push({ id: this.#subscribe(channelId, channel), channelId });
    }
    if (subscriptions.length > 0) this.#parts.send({ op: 'subscribe', subscriptions });
  }

  /** The channel of the recording, the same object for the same content. Undefined: it is not wanted. */
  #channelOf(advertised: Advertised): Channel | undefined {
    const { context, known } = this.#parts;
    const { id, topic, schemaName } = advertised;
    if (!context.wanted(topic, schemaName)) return undefined;
    const { schema, problem } = readSchema(advertised);
    const fresh = toRecorderChannel(advertised, schema, context.robotOf(topic));
    const subscribed = this.#subscribed.get(id)?.channel;
    if (subscribed !== undefined && sameChannel(subscribed, fresh)) return subscribed;
    if (problem !== undefined) {
      const error = new HoldfastError('SCHEMA_MISSING', `${topic} (${schemaName}): ${problem}`);
      context.logger.warn('recorded without a schema', { topic, code: error.code, error: error.message });
    }
    const key = channelKey(fresh);
    const before = known.get(key);
    const channel = before !== undefined && sameChannel(before, fresh) ? before : fresh;
    if (before !== undefined && channel === fresh) {
      context.logger.warn('a channel changed its definition', { topic, schema: schemaName });
    }
    known.set(key, channel);
    return channel;
  }

  /** @returns the number of the subscription. */
  #subscribe(channelId: number, channel: Channel): number {
    const id = this.#nextSubscription++;
    const before = this.#withdrawn.get(channelId);
    if (before !== undefined) before.isReplaced = true;
    this.#withdrawn.delete(channelId);
    const subscription = { id, channelId, channel, isReplaced: false, isRefused: false };
    this.#subscribed.set(channelId, subscription);
    this.#subscriptions.set(id, subscription);
    if (this.#subscriptions.size > 2 * MAX_CHANNELS) this.#forgetWithdrawn();
    this.#parts.emit({ kind: 'channel', channel });
    return id;
  }

  #unsubscribe(channelId: number, { id }: Subscription): void {
    this.#parts.send({ op: 'unsubscribe', subscriptionIds: [id] });
    this.#unadvertise([channelId]);
    this.#subscriptions.delete(id);
  }

  /**
   * The server still serves a subscription that ended with its channel: the newer one delivers the same
   * message.
   */
  #refuseTwice(subscription: Subscription): void {
    if (subscription.isRefused) return;
    subscription.isRefused = true;
    this.#parts.send({ op: 'unsubscribe', subscriptionIds: [subscription.id] });
  }

  #unadvertise(ids: readonly unknown[]): void {
    for (const id of ids) {
      const subscription = typeof id === 'number' ? this.#subscribed.get(id) : undefined;
      if (subscription === undefined) continue;
      const { channel, channelId } = subscription;
      this.#subscribed.delete(channelId);
      this.#withdrawn.set(channelId, subscription);
      // Several publishers may share a topic, each with a channel id of its own.
      if ([...this.#subscribed.values()].some((one) => one.channel === channel)) continue;
      this.#parts.emit({ kind: 'channel-gone', channel });
    }
  }

  #forgetWithdrawn(): void {
    this.#withdrawn.clear();
    for (const [id, one] of this.#subscriptions) {
      if (this.#subscribed.get(one.channelId) !== one) this.#subscriptions.delete(id);
    }
  }

  #unreadable(fault: string, topic: string | undefined): void {
    const { gaps, context } = this.#parts;
    context.logger.warn('cannot read a channel of the foxglove server', { fault, topic });
    gaps.add('source_unreadable', context.robotOf(topic ?? ''), topic, 0, fault.slice(0, 200));
  }

  #bad(detail: string, bytes: number): void {
    this.#parts.gaps.add('invalid_message', this.#parts.context.robotOf(''), undefined, bytes, detail);
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
