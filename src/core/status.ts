import type { DurationHistogramJson } from './duration-histogram.js';
import type { GapReason } from './gap.js';
import type { Priority } from './message.js';
import type { SourceStats } from './source.js';

/**
 * What the recorder says about itself. Rates are over the last second; times are decimal nanoseconds since
 * the Unix epoch, so that the object is plain JSON.
 */
export interface RecorderStatus {
  readonly role: 'recorder';
  readonly version: string;
  readonly pid: number;
  /** `inactive`: it holds the data folder and records nothing; `stopped`: it does not even hold it. */
  readonly state: 'recovering' | 'inactive' | 'recording' | 'paused' | 'draining' | 'stalled' | 'stopped';
  /** Why it is stalled, or why it did not get further, in words (`disk full`, ...). */
  readonly stalledReason?: string;
  readonly sessionId: string;
  readonly dataFolder: string;
  readonly startedAt: string;
  readonly sources: readonly SourceStatus[];
  readonly totals: {
    readonly received: number;
    readonly receivedBytes: number;
    readonly durable: number;
    readonly durableBytes: number;
    readonly dropped: number;
    readonly droppedByReason: Readonly<Partial<Record<GapReason, number>>>;
  };
  readonly rates: {
    readonly messagesPerS: number;
    readonly bytesPerS: number;
  };
  /** Received and not yet durable: what a kill at this moment loses. */
  readonly lossWindow: {
    readonly ms: number;
    readonly messages: number;
    readonly bytes: number;
    /** Largest since the start. */
    readonly maxMs: number;
  };
  readonly commits: {
    readonly count: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly failed: number;
    /** All since the start. */
    readonly durations?: DurationHistogramJson;
  };
  readonly queue: { readonly bytes: number; readonly maxBytes: number; readonly messages: number };
  readonly wal: {
    readonly openSegment?: string;
    readonly openBytes: number;
    readonly segmentMaxBytes: number;
    readonly segmentAgeMs: number;
    /** Closed segments that still wait to be sealed. */
    readonly waiting: number;
  };
  readonly sealed: { readonly segments: number; readonly bytes: number; readonly lastSealedAt?: string };
  readonly disk: {
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly evictedSegments: number;
  };
  readonly robots: readonly RobotStatus[];
  /** Absent: nobody asked to look for any. */
  readonly anomalies?: AnomalyStatus;
}

/** What was seen by the rules for anomalies since the start; numbers only grow. */
export interface AnomalyStatus {
  readonly rules: readonly {
    readonly rule: string;
    /** Anomalies that began. */
    readonly seen: number;
    /** Those for which an event was marked. */
    readonly marked: number;
    /** Of the last one: when, and what was seen where. */
    readonly lastAt?: string;
    readonly last?: string;
  }[];
  /** Not marked: too soon after another one, or too many in an hour. */
  readonly suppressed: number;
  /** Not marked because that failed. */
  readonly failedMarks: number;
  /** Channels a rule is about. */
  readonly channels: number;
  /** Messages looked into, and those there was no time or room for. */
  readonly looked: number;
  readonly skipped: number;
  readonly undecoded: number;
}

export interface SourceStatus {
  readonly uri: string;
  readonly state: string;
  readonly detail?: string;
  /** Absent where the source has nothing to tell. */
  readonly stats?: SourceStats & {
    /** Deliveries of messages that were in the recording, or on their way into it. */
    readonly duplicateMessages: number;
  };
}

export interface RobotStatus {
  readonly robot: string;
  readonly channels: number;
  readonly received: number;
  readonly durable: number;
  readonly dropped: number;
  readonly bytesPerS: number;
  readonly messagesPerS: number;
}

export type LinkState = 'unknown' | 'online' | 'offline';

/** One channel as the recorder sees it now; rates are over the last second. */
export interface TopicStats {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly latched: boolean;
  readonly priority: Priority;
  /** Since the start of the process. */
  readonly received: number;
  readonly receivedBytes: number;
  readonly dropped: number;
  readonly messagesPerS: number;
  readonly bytesPerS: number;
  /** Bytes waiting in this channel's queue. */
  readonly queuedBytes: number;
  /** Decimal nanoseconds since the Unix epoch; absent before the first message. */
  readonly lastReceivedAt?: string;
  /** False once the source said that nobody publishes it any more. */
  readonly present: boolean;
}

/** What sync says about itself; mirrors `holdfast/msg/SyncStatus`. */
export interface SyncStatus {
  readonly role: 'sync';
  readonly version: string;
  readonly pid: number;
  readonly dataFolder: string;
  readonly store: string;
  readonly storeId?: string;
  readonly startedAt: string;
  readonly isSyncing: boolean;
  readonly link: LinkState;
  readonly linkSince: string;
  readonly lastSyncAt?: string;
  /** How long the store took to answer when it was last asked who it is. */
  readonly storeLatencyMs?: number;
  readonly uploadErrors: number;
  readonly lastError?: string;
  readonly nextRetryInMs?: number;
  readonly segments: {
    readonly pending: number;
    readonly verified: number;
    readonly parked: number;
  };
  readonly bytes: {
    readonly pending: number;
    readonly verified: number;
    /** Part bytes that had to be sent a second time, since the start of this process. */
    readonly resent: number;
  };
  /** Uploads continued from parts an earlier process had sent, since the start of this process. */
  readonly resumedUploads: number;
  /** What this process did since its start; numbers only grow. */
  readonly uploads?: {
    readonly segments: number;
    /** Of verified segments. */
    readonly bytes: number;
    readonly sentBytes: number;
    readonly retries: number;
    /** From the first byte sent to verified. */
    readonly durations: DurationHistogramJson;
  };
  readonly current?: {
    readonly segment: string;
    readonly robot: string;
    readonly bytes: number;
    readonly progress: number;
  };
  readonly oldestUnsyncedAt?: string;
  readonly transferBytesPerS: number;
  readonly etaMs?: number;
  /** Segments the store refused for good, with the reason. */
  readonly alarms: readonly SyncAlarm[];
  /** Where there is more than one: each with its own progress. The fields above speak of the required ones. */
  readonly sinks?: readonly SinkStatus[];
}

export interface SyncAlarm {
  readonly segment: string;
  readonly robot: string;
  readonly code: string;
  readonly message: string;
}

/** One of several places segments are brought to. */
export interface SinkStatus {
  /** As configured: `mcap`, `parquet`, with a number where there are several of a kind. */
  readonly name: string;
  readonly kind: 'mcap' | 'parquet';
  readonly store: string;
  /** Its lag keeps local copies. */
  readonly required: boolean;
  readonly link: LinkState;
  readonly lastSyncAt?: string;
  readonly lastError?: string;
  readonly segments: SyncStatus['segments'];
  readonly bytes: SyncStatus['bytes'];
  readonly alarms: number;
}
