import type { Observable } from 'rxjs';
import type { Clock } from './clock.js';
import type { DurationHistogramJson } from './duration-histogram.js';
import type { Listen } from './events.js';
import type { Gap } from './gap.js';
import type { Logger } from './logger.js';
import type { Channel, Message } from './message.js';

/** What a source can do; the pipeline asks instead of trying. */
export interface SourceSupport {
  /** Completes by itself when everything was read (a file), instead of running until closed. */
  readonly finite: boolean;
  /** Waits when {@link FlowControl.whenReady} returns a promise, so that policy `block` loses nothing. */
  readonly backpressure: boolean;
  /** Fills `sourceSequence`. */
  readonly sequences: boolean;
  /** Uses `ack` to redeliver what was not committed. */
  readonly acknowledgement: boolean;
}

export interface ChannelAppeared {
  readonly kind: 'channel';
  readonly channel: Channel;
}

export interface ChannelGone {
  readonly kind: 'channel-gone';
  readonly channel: Channel;
}

/** Messages the source knows it could not deliver (unreadable bytes, transport loss). */
export interface SourceGap {
  readonly kind: 'gap';
  readonly gap: Omit<Gap, 'id'>;
}

/**
 * Sent per channel when a numbering source (re)connects, before its first message: everything up to
 * `delivered` was handed to an earlier connection, everything from there to `next - 1` was produced while
 * nobody listened. With the last durable number the recorder derives `lost_in_kill` and
 * `missed_while_down`. Times are those of the messages concerned, nanoseconds since the Unix epoch.
 */
export interface Numbering {
  readonly kind: 'numbering';
  readonly channel: Channel;
  readonly delivered: number;
  readonly next: number;
  readonly deliveredAt?: bigint;
  readonly nextAt?: bigint;
}

/** Connection state, for the status page. */
export interface SourceStateChanged {
  readonly kind: 'state';
  readonly state: 'connecting' | 'open' | 'waiting' | 'done';
  readonly detail?: string;
}

export type SourceEvent =
  Message | ChannelAppeared | ChannelGone | SourceGap | Numbering | SourceStateChanged;

/** How the pipeline slows a source that can wait. */
export interface FlowControl {
  /** `undefined`: go on. A promise: wait for it before the next message. */
  whenReady(): Promise<void> | undefined;
}

export interface SourceContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flow: FlowControl;
  /** Which robot a topic belongs to (a fixed name, or the first segments of the topic). */
  readonly robotOf: (topic: string) => string;
  /** False: do not subscribe (include/exclude rules, which may change); sources that cannot choose may ignore it. */
  readonly wanted: (topic: string, type: string) => boolean;
  /** Tells that `wanted` may answer otherwise from now on: what was refused may be wanted, and the reverse. */
  readonly onWantedChange?: Listen<void>;
  /** Ends the source: it completes after what it had already taken in. */
  readonly signal: AbortSignal;
}

/** What a source that reads from a server of messages can tell; counters are since it was made. */
export interface SourceStats {
  /** Messages at the server that were given to nobody yet. */
  readonly lagMessages?: number;
  /** Given to this recorder, and not acknowledged yet. */
  readonly unacknowledgedMessages?: number;
  readonly acknowledgedMessages?: number;
  /** Deliveries that were not the first of their message. */
  readonly redeliveredMessages?: number;
  /** Put aside because they cannot be recorded; each is a counted gap too. */
  readonly deadLetters?: number;
  /** Could not be put aside, and are tried again. */
  readonly deadLetterFailures?: number;
  readonly connections?: number;
  /** From delivery to acknowledgement, the commit between them included. */
  readonly acknowledgeDurations?: DurationHistogramJson;
}

/**
 * Where messages come from. `open` is called once; subscribing starts, unsubscribing or the signal stops.
 * Connection loss is the source's own business: it reconnects for ever with backoff and says so by state
 * events. Only what can never work (a file that does not exist, an unknown format) errors the Observable,
 * with a HoldfastError. A bad message or channel never errors it: it becomes a gap event.
 */
export interface Source {
  /** The URI it was made from, credentials removed. */
  readonly uri: string;
  readonly supports: SourceSupport;
  /** Absent where it has nothing to tell but its messages. */
  stats?(): SourceStats;
  open(context: SourceContext): Observable<SourceEvent>;
}
