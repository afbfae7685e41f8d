import { Observable } from 'rxjs';
import { assertNever, describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Channel, Message } from '../core/message.js';
import type {
  Source,
  SourceContext,
  SourceEvent,
  SourceGap,
  SourceRecord,
  SourceAlert,
} from '../core/source.js';
import type { SourceStatus } from '../core/status.js';
import type { Identities } from '../wal/identities.js';
import { jumpGap, numberingGaps } from '../ingest/numbering.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { ConditionWatch } from './condition-watch.js';
import { Thinning } from './thinning.js';
import type { ThinningRule } from './thinning-pace.js';
import type { TopicFilter } from '../settings/recorder-options.js';

export interface RecordedSourceParts {
  readonly source: Source;
  /** For topics that belong to no robot by name. */
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
  /** What the rules leave out of a topic. */
  readonly thinningOf: (topic: string) => ThinningRule | undefined;
  /** Called once per channel, before its first message is queued. */
  readonly onChannel: (channel: Channel) => void;
  readonly forget: (channel: Channel) => void;
  /** Sees every message, also those that are not recorded. */
  readonly conditions: Pick<ConditionWatch, 'see' | 'gone' | 'needs'>;
}

/**
 * One source inside the recorder. It filters the source's events, turns numbering into gaps, and contains
 * failures, so that the other sources continue.
 */
export class RecordedSource {
  state = 'connecting';
  detail: string | undefined;
  /** Why it ended for good; undefined while it runs or if it completed. */
  failure: unknown;
  unreadableBytes = 0;
  /** Deliveries of messages that were recorded already, or are about to be. */
  #duplicates = 0;
  readonly #verdicts = new Map<Channel, boolean>();
  #emit: ((event: SourceGap) => void) | undefined;

  readonly #thinning: Thinning;
  readonly #parts: RecordedSourceParts;

  constructor(parts: RecordedSourceParts) {
    this.#parts = parts;
    this.#thinning = new Thinning(parts.thinningOf);
  }

  get uri(): string {
    return this.#parts.source.uri;
  }

  /** What the source reports; undefined if it reports nothing. */
  get stats(): SourceStatus['stats'] {
    const stats = this.#parts.source.stats?.();
    return stats && { ...stats, duplicateMessages: this.#duplicates };
  }

  /** Reports to the source's server, if the source supports that. */
  alert(alert: SourceAlert): void {
    this.#parts.source.alert?.(alert);
  }

  /** Applies the topic filter and the rules to every channel again. */
  filterChanged(): void {
    this.#verdicts.clear();
    for (const gap of this.#thinning.takeAll()) this.#emit?.({ kind: 'gap', gap });
  }

  events(): Observable<Message | SourceGap | SourceRecord> {
    const { source, context, logger } = this.#parts;
    return new Observable((subscriber) => {
      const emit = (event: Message | SourceGap | SourceRecord): void => subscriber.next(event);
      this.#emit = emit;
      return source.open(context).subscribe({
        next: (event) => this.#handle(event, emit),
        error: (error: unknown) => {
          this.failure = error;
          this.state = 'failed';
          this.detail = describeError(error);
          logger.error('a source failed, the others continue', { source: source.uri, error });
          this.filterChanged();
          subscriber.complete();
        },
        complete: () => {
          this.state = 'done';
          this.filterChanged();
          subscriber.complete();
        },
      });
    });
  }

  #handle(event: SourceEvent, emit: (event: Message | SourceGap | SourceRecord) => void): void {
    switch (event.kind) {
      case 'record':
        emit(event);
        return;
      case 'message':
        this.#parts.conditions.see(event);
        if (!this.#message(event, emit)) event.lease?.release();
        return;
      case 'gap':
        this.unreadableBytes += event.gap.reason === 'source_unreadable' ? (event.gap.bytes ?? 0) : 0;
        if (this.#isOnlySeen(event.gap.topic)) return;
        this.#robotsOf(this.#withoutRecorded(event)).forEach(emit);
        return;
      case 'numbering': {
        if (!this.#isWanted(event.channel)) return;
        const queue = this.#parts.buffer.queueOf(event.channel);
        const received = queue && queue.lastSourceSequence >= 0 ? queue.lastSourceSequence : undefined;
        const settled = this.#parts.settledThrough(event.channel) ?? 0;
        const gaps = numberingGaps(event, { received, settled, afterKill: this.#parts.afterKill });
        // No number is kept for a channel that is not recorded: there may be any number of them.
        gaps.map((gap) => (queue ? gap : withoutNumbers(gap))).forEach(emit);
        // From here on, a jump is measured by this connection's own numbers.
        if (queue) queue.lastSourceSequence = Math.max(received ?? 0, event.next - 1);
        return;
      }
      case 'channel':
        if (this.#isWanted(event.channel)) this.#parts.buffer.queueOf(event.channel);
        return;
      case 'channel-gone':
        this.#verdicts.delete(event.channel);
        this.#leftOut(this.#thinning.forget(event.channel), emit);
        this.#parts.forget(event.channel);
        this.#parts.conditions.gone(event.channel);
        return;
      case 'state':
        this.state = event.state;
        this.detail = event.detail;
        return;
      default:
        assertNever(event);
    }
  }

  /** Returns whether it was passed on. */
  #message(message: Message, emit: (event: Message | SourceGap) => void): boolean {
    if (!this.#isWanted(message.channel)) {
      message.ack?.();
      return false;
    }
    if (message.channel.numberedIn !== undefined) {
      return this.#identified(message, message.channel.numberedIn, emit);
    }
    if (message.sourceSequence !== undefined) {
      const queue = this.#parts.buffer.queueOf(message.channel);
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
    if (this.#parts.paused()) {
      this.#parts.onPausedDrop(message);
      return false;
    }
    const isKept = this.#keeps(message, emit);
    if (isKept) emit(message);
    // The server need not keep what the rules leave out.
    else message.ack?.();
    return isKept;
  }

  /** A message whose number identifies it is recorded once, even if it is delivered several times. */
  #identified(message: Message, numbering: string, emit: (event: Message | SourceGap) => void): boolean {
    const { paused, identities, buffer } = this.#parts;
    const { sourceSequence: number, ack } = message;
    // It is not acknowledged, so its server keeps it and delivers it again.
    if (paused() && ack) return false;
    const admission = number === undefined ? 'new' : identities.admit(numbering, number);
    if (admission !== 'new') {
      this.#duplicates++;
      // If it is pending, the first delivery is acknowledged with its commit.
      if (admission === 'durable') ack?.();
      return false;
    }
    const isKept = this.#keeps(message, emit);
    if (isKept) emit(message);
    if (isKept && (number === undefined || buffer.queueOf(message.channel))) return true;
    // Left out by a rule, or dropped beyond the limit of channels, each in a counted gap: endless deliveries
    // would stop the others.
    if (number !== undefined) identities.release(numbering, [number]);
    ack?.();
    return isKept;
  }

  /** Whether the rules let the message in; if not, it is counted. */
  #keeps(message: Message, emit: (event: SourceGap) => void): boolean {
    if (this.#thinning.keeps(message)) return true;
    const queue = this.#parts.buffer.queueOf(message.channel);
    // Beyond the limit of channels nothing is recorded, and the pipeline counts it as dropped.
    if (queue === undefined) return true;
    queue.received++;
    queue.receivedBytes += message.data.byteLength;
    queue.lastReceivedAt = message.receivedAt;
    queue.decimated++;
    this.#leftOut(this.#thinning.dueGap(message.channel, queue.length === 0), emit);
    return false;
  }

  #leftOut(gap: SourceGap['gap'] | undefined, emit: (event: SourceGap) => void): void {
    if (gap !== undefined) emit({ kind: 'gap', gap });
  }

  /**
   * Messages that the source considers lost, but that an earlier process of the recorder has recorded, are
   * not lost.
   */
  #withoutRecorded(event: SourceGap): SourceGap | undefined {
    const { numberedIn, gap } = event;
    const { count, firstSourceSequence: first, lastSourceSequence: last } = gap;
    if (numberedIn === undefined || count === undefined || first === undefined || last === undefined)
      return event;
    const lost = count - this.#parts.identities.durableIn(numberedIn, first, last);
    return lost > 0 ? { kind: 'gap', gap: { ...gap, count: lost } } : undefined;
  }

  /** A gap without a robot is recorded for every robot of the source; its bytes count once. */
  #robotsOf(event: SourceGap | undefined): SourceGap[] {
    if (event === undefined) return [];
    if (event.gap.robot !== '') return [event];
    const robots = new Set([...this.#verdicts].filter(([, wanted]) => wanted).map(([{ robot }]) => robot));
    if (robots.size === 0) robots.add(this.#parts.robot);
    const { bytes: _, ...rest } = event.gap;
    return [...robots].map((robot, index) => ({
      kind: 'gap',
      gap: { ...(index === 0 ? event.gap : rest), robot },
    }));
  }

  /** The topic is subscribed to for a condition and not recorded, so nothing of it is missing. */
  #isOnlySeen(topic: string | undefined): boolean {
    if (topic === undefined || !this.#parts.conditions.needs(topic)) return false;
    const verdicts = [...this.#verdicts].filter(([channel]) => channel.topic === topic);
    return verdicts.length > 0 && verdicts.every(([, isWanted]) => !isWanted);
  }

  #isWanted(channel: Channel): boolean {
    let wanted = this.#verdicts.get(channel);
    if (wanted === undefined) {
      wanted = this.#parts.wanted(channel.topic, channel.schema.name);
      this.#verdicts.set(channel, wanted);
      if (wanted) this.#parts.onChannel(channel);
    }
    return wanted;
  }
}

function withoutNumbers({ kind, gap }: SourceGap): SourceGap {
  const { settledThrough: _, ...rest } = gap;
  return { kind, gap: rest };
}

/** The include and exclude rules as one predicate. */
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

/** The robot of a topic: a fixed name, or the first of several segments of the topic. */
export function robotRule(robot: string, fromNamespace: boolean): (topic: string) => string {
  if (!fromNamespace) return () => robot;
  return (topic) => {
    const [first, ...rest] = topic.split('/').filter((part) => part !== '');
    return first !== undefined && rest.length > 0 ? first : robot;
  };
}
