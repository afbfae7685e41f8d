import type { MarkedEvent } from '../../core/marked-event.js';
import { TAGS_MAX, type Tags } from '../../core/tags.js';
import type { SegmentContent } from '../../core/monitoring.js';
import { contentLimits, type NumberedContent } from './segment-content.js';
import { REPORT_TEXT_BYTES } from './report-text.js';
import type { FigureName, RobotFigures } from './robot-figures.js';

/** An alert that is raised. */
export interface ReportedAlert {
  /** Such as `sync_stalled`. */
  readonly id: string;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
  /** Since when, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}

/** States of a segment, in the order of their numbers in uplink.proto. */
export const segmentStates = [
  'open',
  'waiting',
  'sealed',
  'uploading',
  'uploaded',
  'evicted',
  'quarantined',
] as const;

/** A segment and where it is. Times are decimal nanoseconds since the Unix epoch. */
export interface ReportedSegment {
  readonly segment: string;
  /** Absent: all priorities are in one. */
  readonly priority?: string;
  readonly state: (typeof segmentStates)[number];
  readonly bytes: number;
  readonly messages?: number;
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly sealedAt?: string;
  /** Lists of missing messages in it. */
  readonly gaps: number;
  /** The number of what it holds; absent: not said. */
  readonly content?: number;
  /** That itself, on both sides of the connection. */
  readonly holds?: SegmentContent;
}

/** What changed at a robot since the report before. */
export interface RobotReport {
  readonly epoch: number;
  /** Numbered within the epoch, from 1. */
  readonly sequence: number;
  /** Everything: what was reported before no longer counts. */
  readonly complete: boolean;
  /** Wall clock of the robot, nanoseconds since the Unix epoch; absent: an earlier version, which does not say it. */
  readonly timeNs?: bigint;
  /** Figures that have another value. */
  readonly figures: RobotFigures;
  /** Figures that have no value any more. */
  readonly unknown: readonly FigureName[];
  /** Every raised alert; absent: as before. */
  readonly alerts?: readonly ReportedAlert[];
  /** Every tag that holds; absent: as before, and in a complete report: the robot does not say. */
  readonly tags?: Tags;
  /** What segments of this and later reports of the epoch hold; absent: as before. */
  readonly contents?: readonly NumberedContent[];
  /** Segments that are new or changed. */
  readonly segments: readonly ReportedSegment[];
  /** Events that were marked. */
  readonly events: readonly MarkedEvent[];
}

/** Bounds of a report; a receiver refuses one beyond them. A report of this size fits into one message. */
export const reportLimits = {
  ...{ alerts: 64, tags: TAGS_MAX, segments: 200, events: 32, contents: contentLimits.inReport },
  textBytes: REPORT_TEXT_BYTES,
} as const;
