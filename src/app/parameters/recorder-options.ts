import type { AnomalyOptions } from '../anomaly/anomaly-options.js';
import type { Priority, QueuePolicy } from '../../core/message.js';

/** One `--source`. */
export interface SourceOptions {
  readonly uri: string;
  /**
   * The robot all its topics belong to; with `robotFromNamespace` that of topics without a namespace
   * (`/tf`, `/diagnostics`).
   */
  readonly robot: string;
  /** The robot is the first segment of topics that have more than one: `/robot_1/imu` is `robot_1`'s. */
  readonly robotFromNamespace: boolean;
}

/** Topics a source shall subscribe to. Expressions are unanchored; empty `include` lists mean all. */
export interface TopicFilter {
  readonly includeTopics: readonly RegExp[];
  readonly excludeTopics: readonly RegExp[];
  readonly includeTypes: readonly RegExp[];
  readonly excludeTypes: readonly RegExp[];
}

/**
 * Settings for the topics an expression matches. Rules are ordered; for each setting the first matching
 * rule that states it wins.
 */
export interface TopicRule {
  readonly topics: RegExp;
  readonly priority?: Priority;
  readonly policy?: QueuePolicy;
  readonly queueMaxBytes?: number;
}

export type DurabilityMode = 'commit' | 'interval' | 'os';
export type WhenFull = 'stop' | 'drop-oldest' | 'drop-lowest';

/** Everything the recorder is told; checked, with all defaults filled in, and frozen. */
export interface RecorderOptions {
  /** The data folder's path. */
  readonly data: string;
  readonly sources: readonly SourceOptions[];
  readonly filter: TopicFilter;
  readonly rules: readonly TopicRule[];
  readonly maxChannels: number;
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
  };
  readonly latchedMaxBytes: number;
  readonly retention: {
    /** The floor of free disk space is the smaller of the two. */
    readonly minFreeBytes: number;
    readonly minFreePercent: number;
    /** Quota of the data folder; 0: none. */
    readonly maxBytes: number;
    /** When the floor or quota is reached and nothing verified is left to evict. */
    readonly whenFull: WhenFull;
  };
  readonly anomaly: AnomalyOptions;
  /** 0: no ballast file. */
  readonly ballastBytes: number;
}
