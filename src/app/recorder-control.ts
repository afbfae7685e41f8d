import type { Listen, MarkedEvent, RecorderEvent, Unlisten } from '../core/events.js';
import type { Channel, Message } from '../core/message.js';
import type { RecorderStatus, TopicStats } from '../core/status.js';
import type { RecorderOptions } from './parameters/recorder-options.js';

/**
 * Where a recorder process is in its life. It is `configured` into `inactive` (the data folder is taken and
 * recovered, nothing is recorded), activated into `active`, and back the same way. Between two resting
 * phases a transition is under way; whatever is asked meanwhile is refused, with the reason.
 */
export type RecorderPhase =
  'unconfigured' | 'configuring' | 'inactive' | 'activating' | 'active' | 'deactivating' | 'cleaning-up';

export interface MarkEventRequest {
  /** What happened, for people; at most 200 characters. */
  readonly label: string;
  /** Window around now, seconds; 0 to 3,600 each. */
  readonly beforeS: number;
  readonly afterS: number;
}

/**
 * Everything that steers or watches a recorder from inside its process goes through this: control socket, ROS
 * services, web page. Every refusal is a HoldfastError `STATE_REFUSED` thrown at once (not a rejection), so
 * that a caller that must decide synchronously can; the promise tells when the work is done.
 */
export interface RecorderControl {
  readonly phase: RecorderPhase;
  /** Takes the data folder and recovers it. */
  configure(): Promise<void>;
  /** Opens the sources and records. */
  activate(): Promise<void>;
  /** Ends the sources, commits and seals what was taken in; the data folder stays taken. */
  deactivate(): Promise<void>;
  /** Gives the data folder back. */
  cleanup(): Promise<void>;
  pause(): void;
  resume(): void;
  split(): Promise<void>;
  /** The window is sealed as soon as it has passed, and uploaded first. Resolves once the mark is durable. */
  markEvent(request: MarkEventRequest): Promise<MarkedEvent>;
  /**
   * Takes over options at once, all or none, without losing a message. Returns the names of the parameters
   * that changed. Throws `STATE_REFUSED`, naming them, where one of them is fixed while the data folder is held
   * (all but `liveRecorderParameters`), and during `configuring` and `cleaning-up`. Absent: not supported.
   */
  reconfigure?(options: RecorderOptions): readonly string[];
  status(): RecorderStatus;
  topics(): readonly TopicStats[];
  readonly onEvent: Listen<RecorderEvent>;
  /** Every message taken in (`durable` false) as it is queued; costs nothing while nobody listens. */
  tap(listener: (message: Message) => void): Unlisten;
  /** Channels seen so far, and the latched messages a late listener needs; absent: not told. */
  channels?(): Iterable<Channel>;
  latched?(): Iterable<Message>;
}
