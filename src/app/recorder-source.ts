import { Observable } from 'rxjs';
import { assertNever, describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Channel, Message } from '../core/message.js';
import type { Source, SourceContext, SourceEvent, SourceGap } from '../core/source.js';
import type { SourceStatus } from '../core/status.js';
import type { Identities } from '../wal/identities.js';
import { jumpGap, numberingGaps } from '../ingest/numbering.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { TopicFilter } from './parameters/recorder-options.js';

export interface RecordedSourceParts {
  readonly source: Source;
  /** Of topics that belong to no robot by name. */
  readonly robot: string;
  readonly context: SourceContext;
  readonly buffer: IngestBuffer;
  readonly logger: Logger;
  readonly wanted: (topic: string, type: string) => boolean;
  /** Source number up to which a topic is settled, from earlier processes. */
  readonly settledThrough: (channel: Channel) => number | undefined;
  readonly identities: Identities;
  readonly afterKill: boolean;
  /** Messages are refused while this is true. */
  readonly paused: () => boolean;
  readonly onPausedDrop: (message: Message) => void;
  /** Called once per channel, before its first message is queued. */
  readonly onChannel: (channel: Channel) => void;
  readonly forget: (channel: Channel) => void;
}

/**
 * One source inside the recorder: filters what it emits, turns its numbering into gaps, and keeps its
 * failure to itself, so that the others go on.
 */
export class RecordedSource {
  state = 'connecting';
  detail: string | undefined;
  /** Why it ended for good; undefined while it runs or when it completed. */
  failure: unknown;
  unreadableBytes = 0;
  /** Deliveries of what was recorded already, or on its way there. */
  private duplicates = 0;
  private readonly verdicts = new Map<Channel, boolean>();

  constructor(private readonly parts: RecordedSourceParts) {}

  get uri(): string {
    return this.parts.source.uri;
  }

  /** What it tells of its server; undefined where it has none. */
  get stats(): SourceStatus['stats'] {
    const stats = this.parts.source.stats?.();
    return stats && { ...stats, duplicateMessages: this.duplicates };
  }

  /** Every channel is judged anew. */
  filterChanged(): void {
    this.verdicts.clear();
  }

  events(): Observable<Message | SourceGap> {
    const { source, context, logger } = this.parts;
    return new Observable((subscriber) => {
      const emit = (event: Message | SourceGap): void => subscriber.next(event);
      return source.open(context).subscribe({
        next: (event) => this.handle(event, emit),
        error: (error: unknown) => {
          this.failure = error;
          this.state = 'failed';
          this.detail = describeError(error);
          logger.error('a source failed, the others go on', { source: source.uri, error });
          subscriber.complete();
        },
        complete: () => {
          this.state = 'done';
          subscriber.complete();
        },
      });
    });
  }

  private handle(event: SourceEvent, emit: (event: Message | SourceGap) => void): void {
    switch (event.kind) {
      case 'message':
        this.message(event, emit);
        return;
      case 'gap':
        this.unreadableBytes += event.gap.reason === 'source_unreadable' ? (event.gap.bytes ?? 0) : 0;
        this.robotsOf(event).forEach(emit);
        return;
      case 'numbering': {
        if (!this.isWanted(event.channel)) return;
        const queue = this.parts.buffer.queueOf(event.channel);
        const received = queue && queue.lastSourceSequence >= 0 ? queue.lastSourceSequence : undefined;
        const settled = this.parts.settledThrough(event.channel) ?? 0;
        numberingGaps(event, { received, settled, afterKill: this.parts.afterKill }).forEach(emit);
        // From here on a jump is measured against this connection's own numbers.
        if (queue) queue.lastSourceSequence = Math.max(received ?? 0, event.next - 1);
        return;
      }
      case 'channel':
        if (this.isWanted(event.channel)) this.parts.buffer.queueOf(event.channel);
        return;
      case 'channel-gone':
        this.verdicts.delete(event.channel);
        this.parts.forget(event.channel);
        return;
      case 'state':
        this.state = event.state;
        this.detail = event.detail;
        return;
      default:
        assertNever(event);
    }
  }

  private message(message: Message, emit: (event: Message | SourceGap) => void): void {
    if (!this.isWanted(message.channel)) {
      message.ack?.();
      return;
    }
    if (message.channel.numberedIn !== undefined) {
      this.identified(message, message.channel.numberedIn, emit);
      return;
    }
    if (message.sourceSequence !== undefined) {
      const queue = this.parts.buffer.queueOf(message.channel);
      if (queue) {
        const gap = jumpGap(
          message.channel,
          queue.lastSourceSequence,
          message.sourceSequence,
          message.receivedAt,
        );
        if (gap) emit(gap);
        queue.lastSourceSequence = Math.max(queue.lastSourceSequence, message.sourceSequence);
      }
    }
    if (this.parts.paused()) this.parts.onPausedDrop(message);
    else emit(message);
  }

  /** A message whose number says which it is: recorded once, however often it is delivered. */
  private identified(message: Message, numbering: string, emit: (event: Message) => void): void {
    const { paused, identities, buffer } = this.parts;
    const { sourceSequence: number, ack } = message;
    // It is not acknowledged: its server keeps it and delivers it again.
    if (paused() && ack) return;
    const admission = number === undefined ? 'new' : identities.admit(numbering, number);
    if (admission !== 'new') {
      this.duplicates++;
      // Where it is pending, the first delivery is acknowledged with its commit.
      if (admission === 'durable') ack?.();
      return;
    }
    emit(message);
    if (number === undefined || buffer.queueOf(message.channel)) return;
    // Past the limit of channels it was dropped, as a counted gap: delivering it for ever would stop the others.
    identities.release(numbering, [number]);
    ack?.();
  }

  /**
   * A gap that concerns no one robot is told to every robot of the source; the bytes count once.
   */
  private robotsOf(event: SourceGap): SourceGap[] {
    if (event.gap.robot !== '') return [event];
    const robots = new Set([...this.verdicts].filter(([, wanted]) => wanted).map(([{ robot }]) => robot));
    if (robots.size === 0) robots.add(this.parts.robot);
    const { bytes: _, ...rest } = event.gap;
    return [...robots].map((robot, index) => ({
      kind: 'gap',
      gap: { ...(index === 0 ? event.gap : rest), robot },
    }));
  }

  private isWanted(channel: Channel): boolean {
    let wanted = this.verdicts.get(channel);
    if (wanted === undefined) {
      wanted = this.parts.wanted(channel.topic, channel.schema.name);
      this.verdicts.set(channel, wanted);
      if (wanted) this.parts.onChannel(channel);
    }
    return wanted;
  }
}

/** The include/exclude rules as one predicate. */
export function topicFilter(filter: TopicFilter): (topic: string, type: string) => boolean {
  const { includeTopics, excludeTopics, includeTypes, excludeTypes } = filter;
  const any = (list: readonly RegExp[], text: string): boolean =>
    list.some((expression) => expression.test(text));
  return (topic, type) =>
    (includeTopics.length === 0 || any(includeTopics, topic)) &&
    (includeTypes.length === 0 || any(includeTypes, type)) &&
    !any(excludeTopics, topic) &&
    !any(excludeTypes, type);
}

/** Which robot a topic belongs to: a fixed name, or the first of several segments of the topic. */
export function robotRule(robot: string, fromNamespace: boolean): (topic: string) => string {
  if (!fromNamespace) return () => robot;
  return (topic) => {
    const [first, ...rest] = topic.split('/').filter((part) => part !== '');
    return first !== undefined && rest.length > 0 ? first : robot;
  };
}
