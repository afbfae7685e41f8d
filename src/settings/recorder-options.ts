import type { AnomalyOptions } from './anomaly-options.js';
import type { FoxgloveOptions } from '../core/foxglove-record.js';
import type { Priority, QueuePolicy } from '../core/message.js';
import type { Tags } from '../core/tags.js';
import type { Vins } from '../core/vin.js';

/** One `--source`. */
export interface SourceOptions {
  readonly uri: string;
  /**
   * The robot of all its topics; with `robotFromNamespace` that of topics without a namespace (`/tf`,
   * `/diagnostics`).
   */
  readonly robot: string;
  /** The robot is the first segment of topics with more than one: `/robot_1/imu` belongs to `robot_1`. */
  readonly robotFromNamespace: boolean;
}

/** Topics that a source must subscribe to. Expressions are unanchored; empty `include` lists mean all. */
export interface TopicFilter {
  readonly includeTopics: readonly RegExp[];
  readonly excludeTopics: readonly RegExp[];
  readonly includeTypes: readonly RegExp[];
  readonly excludeTypes: readonly RegExp[];
}

/**
 * Settings for the topics that match an expression. Rules are ordered; for each setting, the first matching
 * rule that states it applies.
 */
export interface TopicRule {
  readonly topics: RegExp;
  readonly priority?: Priority;
  readonly policy?: QueuePolicy;
  readonly queueMaxBytes?: number;
  /** Messages per second that are recorded at most, on average. */
  readonly maxHz?: number;
  /** Each n-th message is recorded. */
  readonly every?: number;
  /** Group of topics with sealed segments of their own. */
  readonly segment?: string;
}

export type DurabilityMode = 'commit' | 'interval' | 'os';
export type WhenFull = 'stop' | 'drop-oldest' | 'drop-lowest';

/** All options of the recorder; checked, with all defaults filled in, and frozen. */
export interface RecorderOptions {
  /** The data folder's path. */
  readonly data: string;
  readonly sources: readonly SourceOptions[];
  readonly filter: TopicFilter;
  readonly rules: readonly TopicRule[];
  readonly maxChannels: number;
  /** Tags of every segment, until they are changed while it runs. */
  readonly tags: Tags;
  /** VINs of vehicles, by the name of the robot. */
  readonly vins: Vins;
  readonly queue: {
    /** Per channel; a larger message is dropped as `message_too_large`. */
    readonly maxBytes: number;
    readonly totalMaxBytes: number;
  };
  readonly batch: { readonly maxBytes: number; readonly maxCount: number; readonly maxAgeMs: number };
  readonly durability: { readonly mode: DurabilityMode; readonly intervalMs: number };
  readonly segment: {
    readonly maxBytes: number;
    readonly maxAgeMs: number;
    /** Each priority class gets segments of its own. */
    readonly splitByPriority: boolean;
  };
  readonly seal: {
    readonly compression: 'zstd' | 'lz4' | 'none';
    readonly level: number;
    readonly chunkBytes: number;
    /** Which payloads are written into the sealed object from the start. */
    readonly inPlace: 'auto' | 'always' | 'never';
    readonly inPlaceMinBytes: number;
    /** With `auto`: the most of these payloads that sealing compresses, bytes per second. */
    readonly compressMaxBytesPerS: number;
    /** What sealed segments tell Foxglove. */
    readonly foxglove: FoxgloveOptions;
    /** In a thread of its own; otherwise in the thread that records. */
    readonly thread: boolean;
  };
  /** Who can read sealed segments: recipients, or files of some; empty: anyone. */
  readonly encryption: {
    readonly recipients: readonly string[];
    /** File of symmetric keys for everything before sealing; empty: it is readable. */
    readonly atRestKey: string;
  };
  readonly latchedMaxBytes: number;
  readonly retention: {
    /** The floor of free disk space is the smaller of the two. */
    readonly minFreeBytes: number;
    readonly minFreePercent: number;
    /** Quota of the data folder; 0: none. */
    readonly maxBytes: number;
    /** What to do if the floor or quota is reached and no verified segment is left to evict. */
    readonly whenFull: WhenFull;
    /** Maximum age of a store's answer. */
    readonly confirmMaxAgeMs: number;
  };
  readonly anomaly: AnomalyOptions;
  /** Who may enter a new data folder. */
  readonly dataAccess: 'owner' | 'group';
  /** 0: no ballast file. */
  readonly ballastBytes: number;
}
