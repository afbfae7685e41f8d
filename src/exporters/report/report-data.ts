import type { StageCounts } from '../../core/derivation.js';

/**
 * All content of a report as plain data: the input of rendering, and nothing else. Times whose names end in
 * `S` are seconds since the start of the range.
 */
export interface ReportData {
  readonly title: string;
  /** When the page was made: the only difference between two reports of the same data. */
  readonly createdUtc: string;
  /** Version of the product that made it. */
  readonly version: string;
  /** The inputs, as the user named them. */
  readonly source: string;
  readonly sourceKind: 'data' | 'store' | 'mcap';
  /** The selection, one phrase each; empty: everything. */
  readonly chosen: readonly string[];
  /** Log times, nanoseconds since the Unix epoch; absent without messages. */
  readonly range?: { readonly startNs: bigint; readonly endNs: bigint };
  /** In the order of their colours. */
  readonly robots: readonly string[];
  readonly messages: number;
  readonly payloadBytes: number;
  readonly topics: readonly TopicFacts[];
  readonly gaps: GapFacts;
  readonly plots: readonly Plot[];
  /** Number of series that were not drawn because there are too many. */
  readonly plotsOmitted: number;
  readonly tracks: readonly TrackPlot[];
  readonly battery: readonly Plot[];
  readonly diagnostics: DiagnosticFacts;
  readonly events: readonly EventMark[];
  readonly storage: StorageFacts;
  /** Absent: no segment was changed before it was sent, as far as is known here. */
  readonly transform?: TransformFacts;
  readonly sessions: readonly SessionFacts[];
  readonly clockSteps: readonly ClockStep[];
  /** Tags of the segments, by time. */
  readonly tags: readonly TagFacts[];
  readonly problems: readonly ProblemFact[];
  readonly problemsOmitted: number;
}

/** Segments that were recorded with the same tags. */
export interface TagFacts {
  /** `mission=m3, site=north`. */
  readonly text: string;
  readonly robots: readonly string[];
  readonly segments: number;
  readonly fromS?: number;
  readonly toS?: number;
}

export interface TopicFacts {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly latched: boolean;
  readonly messages: number;
  /** Messages repeated from earlier segments; not counted in `messages`. */
  readonly carried: number;
  readonly bytes: number;
  readonly firstS?: number;
  readonly lastS?: number;
  /** Messages in each of {@link TIME_BUCKETS} equal parts of the range. */
  readonly counts: Uint32Array;
  /** Messages per second over the whole range. */
  readonly rateHz: number;
  readonly expected?: { readonly hz: number; readonly how: 'declared' | 'median' };
  /** Periods without a message, longest first. */
  readonly silences: readonly Silence[];
  /** Intervals longer than this are silences, seconds. */
  readonly silenceAfterS?: number;
  readonly undecoded: number;
  readonly reason?: string;
  /** Decoded messages with bytes left over, because they were written with another definition. */
  readonly misfits: number;
  readonly latency?: LatencyFacts;
}

/** Number of equal parts of the range in which messages are counted. */
export const TIME_BUCKETS = 720;

export interface Silence {
  readonly fromS: number;
  readonly toS: number;
  readonly kind: 'late start' | 'silence' | 'early end';
}

/** Receipt minus header stamp, milliseconds. */
export interface LatencyFacts {
  readonly count: number;
  /** Messages with a stamp of zero. */
  readonly unset: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly series: Series;
  /** Messages per bin, and the bounds of the bins (one more than bins). */
  readonly bins: readonly number[];
  readonly boundsMs: readonly number[];
}

/** The smallest and largest value in each bucket of the range; NaN for an empty bucket. */
export interface Series {
  readonly label: string;
  /** Index into `robots`; selects the colour. */
  readonly robot: number;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly count: number;
  /** Values that are NaN or infinite, which are not drawn. */
  readonly notFinite: number;
}

/** One chart over time. */
export interface Plot {
  readonly title: string;
  readonly robot: string;
  readonly topic: string;
  readonly unit: string;
  /** Requested by name. */
  readonly chosen: boolean;
  readonly series: readonly Series[];
}

export interface TrackPlot {
  readonly title: string;
  /** `plane`: metres. `geographic`: degrees, and x is the longitude. */
  readonly kind: 'plane' | 'geographic';
  readonly tracks: readonly Track[];
}

export interface Track {
  readonly robot: string;
  readonly robotIndex: number;
  readonly label: string;
  /** x and y alternate; a pair of NaN breaks the line. */
  readonly points: Float64Array;
  readonly lengthM: number;
  readonly count: number;
}

export interface GapFacts {
  /** Loss by reason, largest first. */
  readonly totals: readonly {
    readonly reason: string;
    readonly gaps: number;
    /** Losses of known size; gaps of unknown size add nothing. */
    readonly messages: number;
    readonly unknown: number;
  }[];
  /** The first losses by time. */
  readonly list: readonly GapFact[];
  readonly omitted: number;
}

export interface GapFact {
  readonly reason: string;
  readonly robot: string;
  readonly topic?: string;
  readonly count?: number;
  readonly fromS?: number;
  readonly toS?: number;
  readonly detail?: string;
}

export interface DiagnosticFacts {
  readonly lanes: readonly DiagnosticLane[];
  readonly omitted: number;
}

/** Levels of one named status. */
export interface DiagnosticLane {
  readonly robot: string;
  readonly name: string;
  readonly hardware: string;
  /** Highest level in each bucket; 255 without a message. */
  readonly levels: Uint8Array;
  /** Messages with level OK, WARN, ERROR, STALE. */
  readonly counts: readonly [number, number, number, number];
  readonly worst: number;
  readonly worstMessage: string;
  readonly worstAtS: number;
}

export interface EventMark {
  readonly label: string;
  readonly atS: number;
  readonly fromS: number;
  readonly toS: number;
}

export interface StorageFacts {
  readonly segments: readonly SegmentFact[];
  readonly omitted: number;
  /** By state, including those omitted. */
  readonly totals: readonly {
    readonly state: string;
    readonly segments: number;
    readonly messages: number;
    readonly bytes: number;
  }[];
  readonly payloadBytes: number;
  readonly fileBytes: number;
}

/** What `sync.transform` did. */
export interface TransformFacts {
  /** Segments that were changed. */
  readonly segments: number;
  /** Those of them whose manifests of the changed copy are known; the sums are of these. */
  readonly counted: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Payloads. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** In the order of the rules. */
  readonly stages: readonly StageFacts[];
}

/** What one rule of `sync.transform` did to all segments. */
export interface StageFacts extends StageCounts {
  readonly name: string;
  readonly rule: string;
  /** Programs that ran for it, with their versions. */
  readonly programs: readonly string[];
  /** Segments that say their counts; 0: earlier versions made them. */
  readonly segments: number;
}

export interface SegmentFact {
  readonly name: string;
  readonly robot?: string;
  readonly state: string;
  readonly fromS?: number;
  readonly toS?: number;
  readonly messages?: number;
  readonly bytes: number;
  readonly payloadBytes?: number;
  readonly compression?: string;
  readonly sealedUtc?: string;
  readonly uncleanEnd: boolean;
  readonly evicted?: string;
  readonly stores: readonly {
    readonly uri: string;
    readonly verification?: string;
    readonly verifiedUtc?: string;
    /** Time from sealed to verified. */
    readonly delayMs?: number;
  }[];
}

export interface SessionFacts {
  readonly session: string;
  readonly machine: string;
  readonly boot: string;
  readonly hostname: string;
  readonly software: string;
  readonly robots: readonly string[];
  readonly segments: number;
  readonly fromS?: number;
  readonly toS?: number;
  readonly uncleanEnds: number;
}

export interface ClockStep {
  readonly atS: number;
  readonly stepMs: number;
  readonly session: string;
}

export interface ProblemFact {
  readonly where: string;
  readonly reason: string;
}
