import { curves } from '../model/history.js';
import {
  access,
  logLines,
  noteServerTime,
  segments,
  status,
  syncSeenAtMs,
  tell,
  topics,
} from '../model/live.js';
import { duration, msOf } from '../model/format.js';
import type { Frame, Hello, Status, TimelineSegment, TopicRow, Update } from '../wire.js';

const LOG_LINES_MAX = 500;
/** Like the server: a sparkline has a point every three seconds. */
const SPARK_STEP_MS = 3_000;
const SPARK_POINTS = 40;

let rows = new Map<number, TopicRow>();
let bySegment = new Map<string, TimelineSegment>();
let sparkedAtMs = 0;

/** Applies a frame to the stores. */
export function applyFrame(frame: Frame): void {
  if (frame.type === 'welcome') {
    access.set({ role: frame.role, exports: frame.exports ?? [] });
    return;
  }
  noteServerTime(frame.status.atMs);
  noteRestart(status.get(), frame.status);
  const { sync, atMs } = frame.status;
  const seen = frame.status.syncSeenAtMs ?? (sync === null ? undefined : atMs);
  if (seen !== undefined) syncSeenAtMs.set(seen);
  status.set(frame.status);
  if (frame.type === 'hello') applyHello(frame);
  else applyUpdate(frame);
}

function applyHello(hello: Hello): void {
  rows = new Map(hello.topics.map((row) => [row.id, row]));
  sparkedAtMs = hello.status.atMs;
  topics.set({ rows: hello.topics, omitted: hello.topicsOmitted });
  curves.replace(hello.history);
  bySegment = new Map(hello.segments.segments.map((one) => [keyOf(one), one]));
  segments.set({
    list: hello.segments.segments,
    omitted: hello.segments.omitted,
    quarantined: hello.segments.quarantined,
  });
  logLines.set(hello.log.slice(-LOG_LINES_MAX));
}

function applyUpdate(update: Update): void {
  applyTopics(update);
  if (update.history !== undefined) curves.add(update.history, update.status);
  if (update.segments !== undefined) {
    for (const key of update.segments.removed) bySegment.delete(key);
    for (const one of update.segments.changed) bySegment.set(keyOf(one), one);
    const { omitted, quarantined } = update.segments;
    segments.set({ list: [...bySegment.values()].sort(byAge), omitted, quarantined });
  }
  const { log } = update;
  if (log !== undefined && log.length > 0) {
    logLines.update((before) => [...before, ...log].slice(-LOG_LINES_MAX));
  }
}

function applyTopics({ topics: changed, newTopics, topicsOmitted, status: { atMs } }: Update): void {
  for (const row of newTopics ?? []) rows.set(row.id, row);
  for (const delta of changed) {
    const [id, received, receivedBytes, dropped, messagesPerS, bytesPerS, queuedBytes, lastMs, present] =
      delta;
    const before = rows.get(id);
    if (before === undefined) continue;
    rows.set(id, {
      ...before,
      ...{ received, receivedBytes, dropped, messagesPerS, bytesPerS, queuedBytes },
      ...(lastMs === null ? {} : { lastReceivedAt: `${lastMs}000000` }),
      present: present === 1,
    });
  }
  if (atMs - sparkedAtMs >= SPARK_STEP_MS) {
    sparkedAtMs = atMs;
    for (const [id, row] of rows) {
      rows.set(id, { ...row, spark: [...row.spark, row.messagesPerS].slice(-SPARK_POINTS) });
    }
  } else if (changed.length === 0 && newTopics === undefined) return;
  topics.set({ rows: [...rows.values()], omitted: topicsOmitted ?? topics.get().omitted });
}

/** A restarted recorder has another start time. */
function noteRestart(before: Status | undefined, now: Status): void {
  if (before === undefined || before.recorder.startedAt === now.recorder.startedAt) return;
  const downMs = msOf(now.recorder.startedAt) - before.atMs;
  tell(
    'info',
    `The recorder was restarted (process ${before.recorder.pid}, now ${now.recorder.pid}); ` +
      `it did not answer for ${duration(Math.max(0, downMs))}.`,
  );
}

/** The name that the server uses in `removed`. */
function keyOf({ segment, robot, priority }: TimelineSegment): string {
  return `${segment}/${robot ?? ''}/${priority ?? ''}`;
}

function byAge(a: TimelineSegment, b: TimelineSegment): number {
  return (a.number ?? 0) - (b.number ?? 0) || (a.robot ?? '').localeCompare(b.robot ?? '');
}
