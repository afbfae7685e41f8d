import type { RecorderEvent } from '../core/events.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { TagChanges, Tags } from '../core/tags.js';
import type { Listen, Unlisten } from '../core/listen.js';
import type { Channel, Message } from '../core/message.js';
import type { RecorderStatus, TopicStats } from '../core/status.js';
import type { TransformRule } from '../core/transform/rule.js';
import type { RecorderOptions } from '../settings/recorder-options.js';

/**
 * The life cycle of a recorder process. It is `configured` into `inactive` (the data folder is taken and
 * recovered, nothing is recorded), activated into `active`, and back in the same way. Between two resting
 * phases a transition is under way; requests during a transition are refused, with the reason.
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
 * Control socket, ROS services and web page control and watch a recorder through this interface. Every
 * refusal is a HoldfastError `STATE_REFUSED`, thrown at once (not a rejection), so that a caller can decide
 * synchronously. The promise resolves when the work is done.
 */
export interface RecorderControl {
  readonly phase: RecorderPhase;
  /** Takes the data folder and recovers it. */
  configure(): Promise<void>;
  /** Opens the sources and records. */
  activate(): Promise<void>;
  /** Ends the sources, commits and seals what was received; the data folder stays taken. */
  deactivate(): Promise<void>;
  /** Releases the data folder. */
  cleanup(): Promise<void>;
  pause(): void;
  resume(): void;
  split(): Promise<void>;
  /** The window is sealed as soon as it has passed, and uploaded first. Resolves once the mark is durable. */
  markEvent(request: MarkEventRequest): Promise<MarkedEvent>;
  /** An empty value removes a tag. Ends the open segment. Resolves with all tags once they are durable. */
  setTags(changes: TagChanges): Promise<Tags>;
  /**
   * Takes over options at once, all or none, without losing a message. Returns the names of the changed
   * parameters. Throws `STATE_REFUSED` with the names of parameters that are fixed while the data folder is
   * held (all but `liveRecorderParameters`), and during `configuring` and `cleaning-up`. Absent: not
   * supported.
   */
  reconfigure?(options: RecorderOptions): readonly string[];
  status(): RecorderStatus;
  topics(): readonly TopicStats[];
  readonly onEvent: Listen<RecorderEvent>;
  /** Every received message (`durable` false) when it is queued; costs nothing without a listener. */
  tap(listener: (message: Message) => void): Unlisten;
  /** Rules of `sync.transform` that sync has told; undefined: they cannot be read. */
  transform(): readonly TransformRule[] | undefined;
  /** Channels seen so far, and the latched messages that a late subscriber needs; absent: not available. */
  channels?(): Iterable<Channel>;
  latched?(): Iterable<Message>;
}
