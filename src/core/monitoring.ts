import type { Listen, MarkedEvent, RecorderEvent, Unlisten } from './events.js';
import type { GapReason } from './gap.js';
import type { LogLevel } from './logger.js';
import type { Channel, Message, Priority } from './message.js';
import type { RecorderStatus, SyncStatus, TopicStats } from './status.js';

/**
 * The recorder as a monitor sees it. Control calls throw `STATE_REFUSED` at once where the recorder's phase
 * does not allow them.
 */
export interface MonitoredRecorder {
  readonly phase: string;
  activate(): Promise<void>;
  deactivate(): Promise<void>;
  pause(): void;
  resume(): void;
  split(): Promise<void>;
  markEvent(request: {
    readonly label: string;
    readonly beforeS: number;
    readonly afterS: number;
  }): Promise<MarkedEvent>;
  status(): RecorderStatus;
  topics(): readonly TopicStats[];
  readonly onEvent: Listen<RecorderEvent>;
  /** Every message taken in, as it is queued and before it is durable. */
  tap(listener: (message: Message) => void): Unlisten;
  /** Channels known so far; absent: they are learned from the messages. */
  channels?(): Iterable<Channel>;
  /** The latched messages a late listener needs; absent: it does without. */
  latched?(): Iterable<Message>;
}

/** Sync is another process and may be gone: then both reject with `ROLE_NOT_RUNNING`. */
export interface MonitoredSync {
  status(): Promise<SyncStatus>;
  syncNow(): Promise<void>;
}

/** Where a segment is between the WAL and the store. */
export type TimelineState =
  'open' | 'waiting' | 'sealed' | 'uploading' | 'uploaded' | 'evicted' | 'quarantined';

/** One segment of one robot on the timeline; plain JSON, times in decimal nanoseconds since the Unix epoch. */
export interface TimelineSegment {
  readonly segment: string;
  /** Order of creation in this data folder; absent for what is quarantined. */
  readonly number?: number;
  /** Absent for what holds all robots (`open`, `waiting`, `quarantined`). */
  readonly robot?: string;
  /** Where priority classes have segments of their own. */
  readonly priority?: Priority;
  /** `evicted` with `stores` is gone from this disk only; without, it is gone for good. */
  readonly state: TimelineState;
  readonly bytes: number;
  readonly messages?: number;
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly sealedAt?: string;
  /** 0 to 1, while uploading. */
  readonly progress?: number;
  readonly uncleanEnd?: boolean;
  /** Stores that provably hold it. */
  readonly stores?: readonly string[];
  /** Why it was evicted before it was uploaded. */
  readonly reason?: string;
  /** Marked events whose windows it overlaps. */
  readonly events?: readonly MarkedEvent[];
  readonly gaps: readonly TimelineGap[];
  /** Gaps beyond those listed. */
  readonly moreGaps: number;
}

/** Messages that are not in the recording. */
export interface TimelineGap {
  readonly reason: GapReason;
  readonly topic?: string;
  readonly count?: number;
  readonly firstTime?: string;
  readonly lastTime?: string;
}

/** The newest segments, oldest first; `omitted` older ones are left out. */
export interface Timeline {
  /** Changes whenever `segments` does. */
  readonly version: number;
  readonly segments: readonly TimelineSegment[];
  readonly omitted: number;
  /** Segments in quarantine. */
  readonly quarantined: number;
}

export interface MonitoredSegments {
  /** Looks again and returns what there is; bounded and cheap where nothing changed. */
  refresh(sync: SyncStatus | undefined): Promise<Timeline>;
}

/** What the process and its machine use; percentages are of one core. */
export interface SystemUsage {
  readonly memoryMb: number;
  readonly heapMb: number;
  readonly cpuPercent: number;
  readonly cores: number;
  readonly loadAverage1m: number;
  readonly hostMemoryFreeMb: number;
  readonly hostMemoryTotalMb: number;
  readonly uptimeS: number;
}

/** One line of the operational log. */
export interface LogLine {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly event: string;
  /** The facts, as one line of text. */
  readonly facts: string;
}

/** How the operational log is doing. */
export interface LogStats {
  readonly level: LogLevel;
  readonly listenerRunning: boolean;
  /** Absent where nothing is written to a file. */
  readonly file?: string;
  readonly fileBytes: number;
  readonly queuedLines: number;
  readonly queuedBytes: number;
  readonly queueMaxBytes: number;
  readonly writtenLines: number;
  /** Lines the queue or the disk had no room for. */
  readonly droppedLines: number;
  readonly rotations: number;
  readonly lastError?: string;
}

/** The operational log as a monitor sees it. */
export interface MonitoredLog {
  stats(): LogStats;
  setLevel(level: LogLevel): void;
  /** The last lines, oldest first. */
  recent(): readonly LogLine[];
  /** Numbers of lines ever logged; the newest of {@link recent} has this number. */
  readonly lastNumber: number;
}

/** Starts an export of recorded data; absent where the product has none. */
export interface MonitoredExports {
  /** Throws `CONFIG_INVALID` or `STATE_REFUSED`. Resolves once it is under way, with where it goes. */
  start(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}
