import { defined } from '../../core/defined.js';
import type { MonitoredLog, MonitoredRecorder, TimelineSegment } from '../../core/monitoring.js';
import { FeedMembers, type FeedClient } from './feed-members.js';
import type { HistoryPoint } from './history.js';
import type { TopicUpdate } from './topic-table.js';
import type { Watch } from './watch.js';
import type { Timer } from '../../core/clock.js';

export interface FeedOptions {
  /** Between two updates. */
  readonly intervalMs: number;
}

/** Interval of reading the segments. */
const LOOK_MS = 1_000;

/**
 * The live state for any number of pages: one update per interval is made and sent to all, so that one more
 * page costs only its socket. An update holds the changes; a page that is new or was too slow gets the
 * complete state. A slow page is skipped, never awaited, and finally dropped.
 */
export class LiveFeed implements Disposable {
  readonly #members = new FeedMembers();
  #timer: Timer | undefined;
  #sentSegments = new Map<string, TimelineSegment>();
  #sentVersion = -1;
  #sentHistory: HistoryPoint | undefined;
  #sentLog = 0;
  #ticks = 0;
  readonly #ticksPerLook: number;

  readonly #watch: Watch;
  readonly #recorder: MonitoredRecorder;
  readonly #log: MonitoredLog;
  readonly #options: FeedOptions;

  constructor(watch: Watch, recorder: MonitoredRecorder, log: MonitoredLog, options: FeedOptions) {
    this.#watch = watch;
    this.#recorder = recorder;
    this.#log = log;
    this.#options = options;
    this.#ticksPerLook = Math.max(1, Math.round(LOOK_MS / options.intervalMs));
  }

  /** Updates that slow clients did not get, since the start. */
  get skipped(): number {
    return this.#members.skipped;
  }

  /** Clients dropped for being slow, since the start. */
  get dropped(): number {
    return this.#members.dropped;
  }

  get clients(): number {
    return this.#members.size;
  }

  /** The client gets a `hello` at once and then updates; call the returned function when it is gone. */
  join(client: FeedClient): () => void {
    // Later changes must be relative to its hello: all earlier changes are sent first.
    this.tick();
    const leave = this.#members.add(client, this.#hello());
    this.#timer ??= this.#watch.clock.every(this.#options.intervalMs, () => this.tick(), {
      background: true,
    });
    return () => {
      leave();
      if (this.#members.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#members.clear();
  }

  /** Whether the interval runs: only while a client is connected. */
  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Sends one update to every client; the interval calls it. */
  tick(): void {
    const topics = this.#watch.topics.update(this.#recorder.topics());
    const update = this.#update(topics);
    if (this.#members.size === 0) return;
    void this.#watch.askSync();
    if (this.#ticks++ % this.#ticksPerLook === 0) void this.#watch.lookAtSegments();
    this.#members.send(JSON.stringify(update), () => this.#hello());
  }

  #hello(): string {
    const watch = this.#watch;
    const log = this.#log;
    return JSON.stringify({
      type: 'hello',
      intervalMs: this.#options.intervalMs,
      status: watch.status(),
      topics: watch.topics.rows(),
      topicsOmitted: watch.topics.omitted,
      history: watch.history.toJson(),
      segments: watch.timeline,
      log: log.recent(),
    });
  }

  #update({ added, changed }: TopicUpdate): Record<string, unknown> {
    const watch = this.#watch;
    const { last } = watch.history;
    const isNewPoint = last !== undefined && last !== this.#sentHistory;
    this.#sentHistory = last;
    const segments = this.#changedSegments();
    const lines = this.#newLines();
    return {
      type: 'update',
      status: watch.status(),
      topics: changed,
      ...(added.length > 0 ? { newTopics: added, topicsOmitted: watch.topics.omitted } : {}),
      ...(isNewPoint ? { history: last } : {}),
      ...defined({ segments }),
      ...(lines.length > 0 ? { log: lines } : {}),
    };
  }

  #newLines(): ReturnType<MonitoredLog['recent']> {
    const fresh = this.#log.lastNumber - this.#sentLog;
    this.#sentLog = this.#log.lastNumber;
    return fresh > 0 ? this.#log.recent().slice(-fresh) : [];
  }

  /** New or changed segments, and the keys of removed ones. */
  #changedSegments(): Record<string, unknown> | undefined {
    const { timeline } = this.#watch;
    if (timeline.version === this.#sentVersion) return undefined;
    const now = new Map(timeline.segments.map((segment) => [segmentKey(segment), segment]));
    const changed = [...now].filter(([key, segment]) => this.#sentSegments.get(key) !== segment);
    const removed = [...this.#sentSegments.keys()].filter((key) => !now.has(key));
    this.#sentSegments = now;
    this.#sentVersion = timeline.version;
    return {
      changed: changed.map(([, segment]) => segment),
      removed,
      omitted: timeline.omitted,
      quarantined: timeline.quarantined,
    };
  }
}

/** The key under which a page keeps a segment. */
export function segmentKey({ segment, robot, priority }: TimelineSegment): string {
  return `${segment}/${robot ?? ''}/${priority ?? ''}`;
}
