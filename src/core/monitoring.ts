import type { SourceAlert } from './source.js';
import type { RecorderEvent } from './events.js';
import type { MarkedEvent } from './marked-event.js';
import type { TagChanges, Tags } from './tags.js';
import type { Listen, Unlisten } from './listen.js';
import type { GapReason } from './gap.js';
import type { LogLevel } from './logger.js';
import type { Channel, Message, Priority } from './message.js';
import type { RecorderStatus, SyncStatus, TopicStats } from './status.js';
import type { TransformRule } from './transform/rule.js';

/**
 * The recorder as a monitor sees it. Control calls throw `STATE_REFUSED` at once if the recorder's phase does
 * not allow them.
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
  /** An empty value removes a tag. Resolves with all tags once they are durable. */
  setTags(changes: TagChanges): Promise<Tags>;
  status(): RecorderStatus;
  topics(): readonly TopicStats[];
  /** Sends a status to the servers of the sources that accept one; absent if no source accepts one. */
  alertSources?(alert: SourceAlert): void;
  readonly onEvent: Listen<RecorderEvent>;
  /** Emits every accepted message when it is queued, before it is durable. */
  tap(listener: (message: Message) => void): Unlisten;
  /** Channels known so far; absent: learn them from the messages. */
  channels?(): Iterable<Channel>;
  /** The latched messages that a late subscriber needs; absent: not available. */
  latched?(): Iterable<Message>;
  /** Rules of `sync.transform` that sync has told; undefined: they cannot be read. */
  transform(): readonly TransformRule[] | undefined;
}

/** Sync is another process and may not run: then both reject with `ROLE_NOT_RUNNING`. */
export interface MonitoredSync {
  status(): Promise<SyncStatus>;
  syncNow(): Promise<void>;
}

/** The state of a segment on its way from the WAL to the store. */
export type TimelineState =
  'open' | 'waiting' | 'sealed' | 'uploading' | 'uploaded' | 'evicted' | 'quarantined';

/** One segment of one robot on the timeline; plain JSON, times in decimal nanoseconds since the Unix epoch. */
export interface TimelineSegment {
  readonly segment: string;
  /** Order of creation in this data folder; absent for quarantined segments. */
  readonly number?: number;
  /** Absent if it holds all robots (`open`, `waiting`, `quarantined`). */
  readonly robot?: string;
  /** Set if priority classes have segments of their own. */
  readonly priority?: Priority;
  /** `evicted` with `stores` is only gone from this disk; without `stores` it is lost. */
  readonly state: TimelineState;
  readonly bytes: number;
  readonly messages?: number;
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly sealedAt?: string;
  /** 0 to 1, while uploading. */
  readonly progress?: number;
  readonly uncleanEnd?: boolean;
  /** Stores that hold it, verified. */
  readonly stores?: readonly string[];
  /** Why it was evicted before the upload. */
  readonly reason?: string;
  /** Marked events whose windows overlap it. */
  readonly events?: readonly MarkedEvent[];
  readonly gaps: readonly TimelineGap[];
  /** Number of gaps beyond those listed. */
  readonly moreGaps: number;
}

/** Number of messages missing from the recording. */
export interface TimelineGap {
  readonly reason: GapReason;
  readonly topic?: string;
  readonly count?: number;
  readonly firstTime?: string;
  readonly lastTime?: string;
}

/** The newest segments, oldest first; `omitted` counts the older ones. */
export interface Timeline {
  /** Changes whenever `segments` changes. */
  readonly version: number;
  readonly segments: readonly TimelineSegment[];
  readonly omitted: number;
  /** Segments in quarantine. */
  readonly quarantined: number;
}

/** What segments hold that a search looks for. Segments with the same share one object. */
export interface SegmentContent {
  /** Topics with messages, each with its type once. */
  readonly topics: readonly { readonly topic: string; readonly type: string; readonly encoding: string }[];
  readonly tags: Tags;
  /** VIN by the manifest; absent: it has none. */
  readonly vin?: string;
}

export interface MonitoredSegments {
  /** What a sealed segment holds; undefined: not known. */
  contentOf?(segment: TimelineSegment): SegmentContent | undefined;
  /** Looks again and returns the present state; bounded, and cheap if nothing changed. */
  refresh(sync: SyncStatus | undefined): Promise<Timeline>;
}

/** Resources that the process and its machine use; percentages are of one core. */
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
  /** The level. */
  readonly level: LogLevel;
  /** What happened, in words. */
  readonly event: string;
  /** The facts, as one line of text. */
  readonly facts: string;
}

/** State of the operational log. */
export interface LogStats {
  /** The lowest level that is logged. */
  readonly level: LogLevel;
  /** The file is open and can be written. */
  readonly listenerRunning: boolean;
  /** Absent if the log has no file. */
  readonly file?: string;
  /** Size of the open file. */
  readonly fileBytes: number;
  /** Lines that are not written yet. */
  readonly queuedLines: number;
  /** Their bytes. */
  readonly queuedBytes: number;
  /** Maximum number of lines in the queue. */
  readonly queueMaxLines: number;
  /** Maximum number of bytes in the queue. */
  readonly queueMaxBytes: number;
  /** Since the start. */
  readonly writtenLines: number;
  /** Lines dropped because the queue or the disk was full. */
  readonly droppedLines: number;
  /** Number of times that a full file was rotated. */
  readonly rotations: number;
  /** Why lines are not written; absent if they are. */
  readonly lastError?: string;
}

/** The operational log as a monitor sees it. */
export interface MonitoredLog {
  stats(): LogStats;
  setLevel(level: LogLevel): void;
  /** The last lines, oldest first. */
  recent(): readonly LogLine[];
  /** Number of lines ever logged; the newest line of {@link recent} has this number. */
  readonly lastNumber: number;
}

/** Starts an export of recorded data; absent if the process cannot export. */
export interface MonitoredExports {
  /** Allowed values of `format`; the first is the default. */
  readonly formats: readonly string[];
  /** Throws `CONFIG_INVALID` or `STATE_REFUSED`. Resolves with the target once the export runs. */
  start(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}

/** A value in the spelling of a configuration file. */
export type ParameterValue = string | number | boolean | readonly (string | number | boolean)[];

/** A parameter that can be set while the process runs. */
export interface LiveParameter {
  readonly name: string;
  readonly value: ParameterValue;
  /** `texts`: a list of texts. */
  readonly kind: 'boolean' | 'integer' | 'real' | 'text' | 'texts';
  /** Of a number without a unit in its spelling; empty: none. */
  readonly unit: string;
  /** What may be set, for people. */
  readonly allowed: string;
  readonly description: string;
}

/** Parameters that can be set while the process runs. A restart of the process has the configured ones again. */
export interface MonitoredParameters {
  list(): readonly LiveParameter[];
  /** Applies a value at once. Throws `REQUEST_INVALID`, `CONFIG_INVALID` or `STATE_REFUSED` with the reason. */
  set(name: string, value: unknown): void;
}
