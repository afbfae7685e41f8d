/** What the server sends; the types are the server's own, so that the two cannot drift apart unnoticed. */
import type { LogLine, Timeline, TimelineSegment } from '../../src/core/monitoring.js';
import type { HistoryJson, HistoryPoint } from '../../src/monitors/live/history.js';
import type { TopicDelta, TopicRow } from '../../src/monitors/live/topic-table.js';
import type { StatusDocument } from '../../src/monitors/live/watch.js';

export type { LogLine, Timeline, TimelineGap, TimelineSegment } from '../../src/core/monitoring.js';
export type { RecorderStatus, RobotStatus, SyncStatus } from '../../src/core/status.js';
export type { MarkedEvent } from '../../src/core/marked-event.js';
export type { HistoryJson, HistoryPoint } from '../../src/monitors/live/history.js';
export type { TopicDelta, TopicRow } from '../../src/monitors/live/topic-table.js';

/** The whole, to a page that is new or was too slow. */
export interface Hello {
  readonly type: 'hello';
  readonly intervalMs: number;
  readonly status: Status;
  readonly topics: readonly TopicRow[];
  readonly topicsOmitted: number;
  readonly history: HistoryJson;
  readonly segments: Timeline;
  readonly log: readonly LogLine[];
}

/** What changed. */
export interface Update {
  readonly type: 'update';
  readonly status: Status;
  readonly topics: readonly TopicDelta[];
  readonly newTopics?: readonly TopicRow[];
  readonly topicsOmitted?: number;
  readonly history?: HistoryPoint;
  readonly segments?: {
    readonly changed: readonly TimelineSegment[];
    readonly removed: readonly string[];
    readonly omitted: number;
    readonly quarantined: number;
  };
  readonly log?: readonly LogLine[];
}

/** The first word to a page that was let in. */
export interface Welcome {
  readonly type: 'welcome';
  readonly role: 'viewer' | 'operator';
  /** Formats of the exports of this process; absent: it does not export. */
  readonly exports?: readonly string[];
}

export type Frame = Hello | Update | Welcome;

export type Status = StatusDocument;
