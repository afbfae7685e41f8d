import { defined } from '../../core/defined.js';
import type { MonitoredLog, MonitoredRecorder, TimelineSegment } from '../../core/monitoring.js';
import type { HistoryPoint } from './history.js';
import type { TopicUpdate } from './topic-table.js';
import type { Watch } from './watch.js';
import type { Timer } from '../../core/clock.js';

/** A receiver of the feed. */
export interface FeedClient {
  /** Bytes handed over and not yet sent. */
  readonly unsentBytes: number;
  send(text: string): void;
  /** It reads too slowly and is dropped. */
  drop(): void;
}

export interface FeedOptions {
  /** Between two updates. */
  readonly intervalMs: number;
}

/** A client this far behind gets nothing more until it has caught up, and then a complete state. */
const UNSENT_PAUSE_BYTES = 512 * 1024;
/** Interval of reading the segments. */
const LOOK_MS = 1_000;
/** Consecutive updates that a client may miss; then it is dropped. */
const MISSED_MAX = 60;

interface Member {
  readonly client: FeedClient;
  /** Needs a `hello`: it is new, or it missed updates. */
  isBehind: boolean;
  missed: number;
}

/**
 * The live state for any number of pages: one update per interval is made and sent to all, so that one more
 * page costs only its socket. An update holds the changes; a page that is new or was too slow gets the
 * complete state. A slow page is skipped, never awaited, and finally dropped.
 */
export class LiveFeed implements Disposable {
  /** Since the start: updates that slow clients did not get, and clients dropped for being slow. */
  skipped = 0;
  dropped = 0;
  readonly #members = new Set<Member>();
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

  get clients(): number {
    return this.#members.size;
  }

  /** The client gets a `hello` at once and then updates; call the returned function when it is gone. */
  join(client: FeedClient): () => void {
    const member: Member = { client, isBehind: true, missed: 0 };
    // Later changes must be relative to its hello: all earlier changes are sent first.
    this.tick();
    this.#members.add(member);
    this.#deliver(member, '', this.#hello());
    this.#timer ??= this.#watch.clock.every(this.#options.intervalMs, () => this.tick(), {
      background: true,
    });
    return () => {
      this.#members.delete(member);
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
    const text = JSON.stringify(update);
    let hello: string | undefined;
    for (const member of this.#members) {
      this.#deliver(member, text, member.isBehind ? (hello ??= this.#hello()) : '');
    }
  }

  #deliver(member: Member, update: string, hello: string): void {
    const { client } = member;
    if (client.unsentBytes > UNSENT_PAUSE_BYTES) {
      this.skipped++;
      member.isBehind = true;
      if (++member.missed < MISSED_MAX) return;
      this.dropped++;
      this.#members.delete(member);
      client.drop();
      return;
    }
    client.send(member.isBehind ? hello : update);
    member.isBehind = false;
    member.missed = 0;
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
