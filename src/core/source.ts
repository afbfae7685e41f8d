import type { Observable } from 'rxjs';
import type { Clock } from './clock.js';
import type { DurationHistogramJson } from './duration-histogram.js';
import type { Listen } from './listen.js';
import type { Gap } from './gap.js';
import type { Logger } from './logger.js';
import type { Channel, Message, QueueRule } from './message.js';
import type { RobotRecord } from './other-record.js';

/** The abilities of a source; the pipeline reads them instead of trying. */
export interface SourceSupport {
  /** Completes when everything was read (a file), instead of running until closed. */
  readonly finite: boolean;
  /** Waits if {@link FlowControl.whenReady} returns a promise, so that the policy `block` loses nothing. */
  readonly backpressure: boolean;
  /** Fills `sourceSequence`. */
  readonly sequences: boolean;
  /** Uses `ack` to redeliver messages that were not committed. */
  readonly acknowledgement: boolean;
}

/** A channel appeared. Comes before its first message. */
export interface ChannelAppeared {
  /** Distinguishes the events. */
  readonly kind: 'channel';
  /** The channel that appeared. */
  readonly channel: Channel;
}

/** A known channel is gone. */
export interface ChannelGone {
  /** Distinguishes the events. */
  readonly kind: 'channel-gone';
  /** The channel that is gone. */
  readonly channel: Channel;
}

/** Messages that the source could not deliver (unreadable bytes, transport loss). */
export interface SourceGap {
  /** Distinguishes the events. */
  readonly kind: 'gap';
  /** What is missing, and why. */
  readonly gap: Omit<Gap, 'id'>;
  /**
   * The numbering of the gap's source numbers, as in `Channel.numberedIn`. Numbers of it that are in the
   * recording are subtracted from the count.
   */
  readonly numberedIn?: string;
}

/**
 * A numbering source sends it per channel when it connects, before the first message. Everything up to
 * `delivered` was handed to an earlier connection. Everything from there to `next - 1` was published while
 * the recorder was not connected. With the last durable number, the recorder derives `lost_in_kill` and
 * `missed_while_down`. The times are those of these messages, nanoseconds since the Unix epoch.
 */
export interface Numbering {
  /** Distinguishes the events. */
  readonly kind: 'numbering';
  /** The channel that is numbered. */
  readonly channel: Channel;
  /** The last number that was handed over. */
  readonly delivered: number;
  /** The number of the next message. */
  readonly next: number;
  /** Of message `delivered`. */
  readonly deliveredAt?: bigint;
  /** Of message `next`. */
  readonly nextAt?: bigint;
}

/** Connection state, for the status page. */
export interface SourceStateChanged {
  /** Distinguishes the events. */
  readonly kind: 'state';
  /** `waiting`: it will retry. */
  readonly state: 'connecting' | 'open' | 'waiting' | 'done';
  /** Why, in words. */
  readonly detail?: string;
}

/** A part of the input that is not a message and belongs into the recording. */
export interface SourceRecord extends RobotRecord {
  /** Distinguishes the events. */
  readonly kind: 'record';
}

/** Everything that a source emits. */
export type SourceEvent =
  Message | ChannelAppeared | ChannelGone | SourceGap | SourceRecord | Numbering | SourceStateChanged;

/** How the pipeline slows a source that supports backpressure. */
export interface FlowControl {
  /** `undefined`: continue. A promise: await it before the next message. */
  whenReady(): Promise<void> | undefined;
}

/** What a source receives when it is opened. */
export interface SourceContext {
  /** The clock; a source never reads the system clock. */
  readonly clock: Clock;
  /** The operational log. */
  readonly logger: Logger;
  /** Slows a source that supports backpressure. */
  readonly flow: FlowControl;
  /** The robot of a topic (a fixed name, or the first segments of the topic). */
  readonly robotOf: (topic: string) => string;
  /**
   * How a topic is queued, for sources that can drop by it before their messages get there; absent: no rule. Read when
   * the topic is subscribed to.
   */
  readonly queueRule?: (topic: string) => QueueRule;
  /**
   * False: do not subscribe (include and exclude rules, which may change). A source that cannot choose may
   * ignore it.
   */
  readonly wanted: (topic: string, type: string) => boolean;
  /** Emits when the answers of `wanted` may have changed, in both directions. */
  readonly onWantedChange?: Listen<void>;
  /** Ends the source: it completes after what it has already accepted. */
  readonly signal: AbortSignal;
}

/** What a source can report beside its messages, each member only if known; counters start with the source. */
export interface SourceStats {
  /** Messages at the server that were not delivered to any consumer yet. */
  readonly lagMessages?: number;
  /** Delivered to this recorder, and not acknowledged yet. */
  readonly unacknowledgedMessages?: number;
  /** Messages that were acknowledged. */
  readonly acknowledgedMessages?: number;
  /** Number of topics with publishers that send nothing any more, now. */
  readonly silentTopics?: number;
  /** Number of new subscriptions to such topics. */
  readonly resubscriptions?: number;
  /** From the publisher's time stamp to the receipt; clocks of other machines count as they are. */
  readonly receiveLatencies?: DurationHistogramJson;
  /** Deliveries that were not the first of their message. */
  readonly redeliveredMessages?: number;
  /** Messages set aside because they cannot be recorded; each is in a gap too. */
  readonly deadLetters?: number;
  /** Messages that could not be set aside and are retried. */
  readonly deadLetterFailures?: number;
  /** Times it connected. */
  readonly connections?: number;
  /** From delivery to acknowledgement, including the commit. */
  readonly acknowledgeDurations?: DurationHistogramJson;
}

/** A fault of a source that somebody at its server should know. */
export interface SourceAlert {
  /** The fault, or that it has ended. */
  readonly kind: 'parquet_failed' | 'parquet_recovered' | 'parquet_schema_changed';
  /** In words. */
  readonly detail: string;
}

/**
 * Where messages come from. `open` is called once; subscribing starts it, unsubscribing or the signal stops
 * it. Connection loss is the source's own task: it reconnects for ever with backoff and reports that by state
 * events. Only a permanent fault (a missing file, an unknown format) errors the Observable, with a
 * HoldfastError. A bad message or channel never errors it: it becomes a gap event.
 */
export interface Source {
  /** The URI of the source, credentials removed. */
  readonly uri: string;
  /** The abilities of the source. */
  readonly supports: SourceSupport;
  /** Absent if it has nothing to report but its messages. */
  stats?(): SourceStats;
  /** Reports a failure to its server; absent if it cannot. Never throws, never waits. */
  alert?(alert: SourceAlert): void;
  /** Starts with the subscription; see {@link Source}. */
  open(context: SourceContext): Observable<SourceEvent>;
}
