import type { MonitoredLog, MonitoredRecorder, TimelineSegment } from '../../core/monitoring.js';
import type { HistoryPoint } from './history.js';
import type { TopicUpdate } from './topic-table.js';
import type { Watch } from './watch.js';

/** One who receives the feed. */
export interface FeedClient {
  /** Bytes handed over and not yet taken by the network. */
  readonly unsentBytes: number;
  send(text: string): void;
  /** It reads too slowly to be of use. */
  drop(): void;
}

export interface FeedOptions {
  /** Between two updates. */
  readonly intervalMs: number;
}

/** A client that is this far behind gets nothing more until it has caught up, and then everything anew. */
const UNSENT_PAUSE_BYTES = 512 * 1024;
/** Between two looks at the segments. */
const LOOK_MS = 1_000;
/** Updates a client may miss in a row; then it is dropped. */
const MISSED_MAX = 60;

interface Member {
  readonly client: FeedClient;
  /** Needs a `hello`: new, or it missed updates. */
  isBehind: boolean;
  missed: number;
}

/**
 * The live state for any number of pages: per interval one update is made and sent to all, so that a page
 * more costs its socket only. An update holds what changed; a page that is new or was too slow gets the
 * whole. A slow page is skipped, never waited for, and dropped in the end.
 */
export class LiveFeed implements Disposable {
  /** Since the start: updates that slow clients did not get, and clients dropped for it. */
  skipped = 0;
  dropped = 0;
  private readonly members = new Set<Member>();
  private timer: NodeJS.Timeout | undefined;
  private sentSegments = new Map<string, TimelineSegment>();
  private sentVersion = -1;
  private sentHistory: HistoryPoint | undefined;
  private sentLog = 0;
  private ticks = 0;
  private readonly ticksPerLook: number;

  constructor(
    private readonly watch: Watch,
    private readonly recorder: MonitoredRecorder,
    private readonly log: MonitoredLog,
    private readonly options: FeedOptions,
  ) {
    this.ticksPerLook = Math.max(1, Math.round(LOOK_MS / options.intervalMs));
  }

  get clients(): number {
    return this.members.size;
  }

  /** The client gets a `hello` at once and updates from then on; call the result when it is gone. */
  join(client: FeedClient): () => void {
    const member: Member = { client, isBehind: true, missed: 0 };
    // What it will be sent as changes must be changes against its hello: all that came before is told first.
    this.tick();
    this.members.add(member);
    this.deliver(member, '', this.hello());
    this.timer ??= setInterval(() => this.tick(), this.options.intervalMs).unref();
    return () => {
      this.members.delete(member);
      if (this.members.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
    this.members.clear();
  }

  private tick(): void {
    const topics = this.watch.topics.update(this.recorder.topics());
    const update = this.update(topics);
    if (this.members.size === 0) return;
    void this.watch.askSync();
    if (this.ticks++ % this.ticksPerLook === 0) void this.watch.lookAtSegments();
    const text = JSON.stringify(update);
    let hello: string | undefined;
    for (const member of this.members) {
      this.deliver(member, text, member.isBehind ? (hello ??= this.hello()) : '');
    }
  }

  private deliver(member: Member, update: string, hello: string): void {
    const { client } = member;
    if (client.unsentBytes > UNSENT_PAUSE_BYTES) {
      this.skipped++;
      member.isBehind = true;
      if (++member.missed < MISSED_MAX) return;
      this.dropped++;
      this.members.delete(member);
      client.drop();
      return;
    }
    client.send(member.isBehind ? hello : update);
    member.isBehind = false;
    member.missed = 0;
  }

  private hello(): string {
    const { watch, log } = this;
    return JSON.stringify({
      type: 'hello',
      intervalMs: this.options.intervalMs,
      status: watch.status(),
      topics: watch.topics.rows(),
      topicsOmitted: watch.topics.omitted,
      history: watch.history.toJson(),
      segments: watch.timeline,
      log: log.recent(),
    });
  }

  private update({ added, changed }: TopicUpdate): Record<string, unknown> {
    const { watch } = this;
    const { last } = watch.history;
    const isNewPoint = last !== undefined && last !== this.sentHistory;
    this.sentHistory = last;
    const segments = this.changedSegments();
    const lines = this.newLines();
    return {
      type: 'update',
      status: watch.status(),
      topics: changed,
      ...(added.length > 0 ? { newTopics: added, topicsOmitted: watch.topics.omitted } : {}),
      ...(isNewPoint ? { history: last } : {}),
      ...(segments === undefined ? {} : { segments }),
      ...(lines.length > 0 ? { log: lines } : {}),
    };
  }

  private newLines(): ReturnType<MonitoredLog['recent']> {
    const fresh = this.log.lastNumber - this.sentLog;
    this.sentLog = this.log.lastNumber;
    return fresh > 0 ? this.log.recent().slice(-fresh) : [];
  }

  /** Segments that are new or became others, and the keys of those that are gone. */
  private changedSegments(): Record<string, unknown> | undefined {
    const { timeline } = this.watch;
    if (timeline.version === this.sentVersion) return undefined;
    const now = new Map(timeline.segments.map((segment) => [segmentKey(segment), segment]));
    const changed = [...now].filter(([key, segment]) => this.sentSegments.get(key) !== segment);
    const removed = [...this.sentSegments.keys()].filter((key) => !now.has(key));
    this.sentSegments = now;
    this.sentVersion = timeline.version;
    return {
      changed: changed.map(([, segment]) => segment),
      removed,
      omitted: timeline.omitted,
      quarantined: timeline.quarantined,
    };
  }
}

/** Under this key a page keeps a segment. */
export function segmentKey({ segment, robot, priority }: TimelineSegment): string {
  return `${segment}/${robot ?? ''}/${priority ?? ''}`;
}
