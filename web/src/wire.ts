/** The server's messages. The types are the server's own, so that both sides stay the same. */
import type { LogLine, Timeline, TimelineSegment } from '../../src/core/monitoring.js';
import type { HistoryJson, HistoryPoint } from '../../src/monitors/live/history.js';
import type { TopicDelta, TopicRow } from '../../src/monitors/live/topic-table.js';
import type { StatusDocument } from '../../src/monitors/live/watch.js';

export type { LogLine, Timeline, TimelineGap, TimelineSegment } from '../../src/core/monitoring.js';
export type { RecorderStatus, RobotStatus, SyncStatus } from '../../src/core/status.js';
export type { MarkedEvent } from '../../src/core/marked-event.js';
export type { HistoryJson, HistoryPoint } from '../../src/monitors/live/history.js';
export type { TopicDelta, TopicRow } from '../../src/monitors/live/topic-table.js';

/** The complete state, for a page that is new or was too slow. */
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

/** The changes since the last frame. */
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

/** The first message to an accepted page. */
export interface Welcome {
  readonly type: 'welcome';
  readonly role: 'viewer' | 'operator';
  /** Formats of the exports of this process; absent: no exports. */
  readonly exports?: readonly string[];
}

export type Frame = Hello | Update | Welcome;

export type Status = StatusDocument;
