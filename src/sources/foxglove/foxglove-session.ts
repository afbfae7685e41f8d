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

/** More channels than any robot has; a server that advertises more is broken. */
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

/** What one connection says, apart from the connection itself. */
export class FoxgloveSession {
  /** Nanoseconds since the Unix epoch of the last message; 0: none yet. */
  lastReceivedAt = 0n;
  readonly #parts: SessionParts;
  /** By the server's channel id; one subscription each, of the same number. */
  readonly #channels = new Map<number, Channel>();
  /** Channels withdrawn on this connection: their last messages may still be under way. */
  readonly #withdrawn = new Map<number, Channel>();
  readonly #subscriptions = new Map<number, number>();
  #nextSubscription = 1;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  receiveText(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#bad(`text that is no JSON: ${text.slice(0, 80)}`, text.length);
    }
    const op = (message as { op?: unknown } | null)?.op;
    if (typeof op !== 'string') return this.#bad('a message without op', text.length);
    this.#operation(message as ServerMessage);
  }

  receiveBinary(frame: Buffer): void {
    const { context, gaps, maxMessageBytes } = this.#parts;
    if (frame.length === 0) return this.#bad('an empty frame', 0);
    // Times, service and asset responses: not asked for, and no messages.
    if (frame[0] !== BINARY_MESSAGE_DATA) return;
    if (frame.length < MESSAGE_HEAD_BYTES)
      return this.#bad(`a message of ${frame.length} bytes`, frame.length);
    const { subscription, timestamp } = readMessageHead(frame);
    const id = this.#subscriptions.get(subscription);
    const channel = id === undefined ? undefined : (this.#channels.get(id) ?? this.#withdrawn.get(id));
    const bytes = frame.length - MESSAGE_HEAD_BYTES;
    if (channel === undefined) return this.#bad(`a message of unknown subscription ${subscription}`, bytes);
    if (bytes > maxMessageBytes) {
      const detail = `larger than max_message_mb (${maxMessageBytes} bytes)`;
      return gaps.add('message_too_large', channel.robot, channel.topic, bytes, detail);
    }
    const receivedAt = context.clock.now();
    this.lastReceivedAt = receivedAt;
    const publishedAt = timestamp > 0n && timestamp <= MAX_INT64 ? timestamp : receivedAt;
    this.#parts.emit({ kind: 'message', channel, data: ownPayload(frame), receivedAt, publishedAt });
  }

  /** Parameters, services and graphs are nothing a recorder subscribes to. */
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
      if ('fault' in read) this.#unreadable(read.fault, read.topic);
      else if (this.#channels.size >= MAX_CHANNELS) this.#unreadable('too many channels', read.value.topic);
      else if (this.#appear(read.value)) {
        const id = this.#nextSubscription++;
        this.#subscriptions.set(id, read.value.id);
        subscriptions.push({ id, channelId: read.value.id });
      }
    }
    if (subscriptions.length > 0) this.#parts.send({ op: 'subscribe', subscriptions });
  }

  /** @returns whether to subscribe. */
  #appear(advertised: Advertised): boolean {
    const { context, known, emit } = this.#parts;
    const { id, topic, schemaName } = advertised;
    if (!context.wanted(topic, schemaName)) return false;
    if (this.#channels.has(id)) this.#unadvertise([id]);
    const { schema, problem } = readSchema(advertised);
    if (problem !== undefined) {
      const error = new HoldfastError('SCHEMA_MISSING', `${topic} (${schemaName}): ${problem}`);
      context.logger.warn('recorded without a schema', { topic, code: error.code, error: error.message });
    }
    const fresh = toRecorderChannel(advertised, schema, context.robotOf(topic));
    const key = channelKey(fresh);
    const before = known.get(key);
    const channel = before !== undefined && sameChannel(before, fresh) ? before : fresh;
    if (before !== undefined && channel === fresh) {
      context.logger.warn('a channel changed its definition', { topic, schema: schemaName });
    }
    known.set(key, channel);
    this.#channels.set(id, channel);
    this.#withdrawn.delete(id);
    emit({ kind: 'channel', channel });
    return true;
  }

  #unadvertise(ids: readonly unknown[]): void {
    for (const id of ids) {
      const channel = typeof id === 'number' ? this.#channels.get(id) : undefined;
      if (channel === undefined) continue;
      this.#channels.delete(id as number);
      this.#withdrawn.set(id as number, channel);
      // Several publishers may share a topic, each with a channel id of its own.
      if ([...this.#channels.values()].includes(channel)) continue;
      this.#parts.emit({ kind: 'channel-gone', channel });
    }
    if (this.#withdrawn.size > MAX_CHANNELS) this.#withdrawn.clear();
  }

  #unreadable(fault: string, topic: string | undefined): void {
    const { gaps, context } = this.#parts;
    context.logger.warn('a channel of the foxglove server is unreadable', { fault, topic });
    gaps.add('source_unreadable', context.robotOf(topic ?? ''), topic, 0, fault.slice(0, 200));
  }

  #bad(detail: string, bytes: number): void {
    this.#parts.gaps.add('invalid_message', this.#parts.context.robotOf(''), undefined, bytes, detail);
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
