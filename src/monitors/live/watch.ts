import { defined } from '../../core/defined.js';
import { NS_PER_MS, type Clock, type Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type {
  LogStats,
  MonitoredLog,
  MonitoredRecorder,
  MonitoredSegments,
  SegmentContent,
  TimelineSegment,
  MonitoredSync,
  SystemUsage,
  Timeline,
} from '../../core/monitoring.js';
import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import { AlertFactsGatherer } from '../alerts/alert-facts.js';
import type { AlertRule } from '../alerts/alert-rules.js';
import { evaluateAlerts, type Alert, type AlertMemories } from '../alerts/evaluate-alerts.js';
import { History, historyPoint } from './history.js';
import { SPARK_STEP_S, TopicTable } from './topic-table.js';

/** The complete state at one moment; `GET /status` returns this object. */
export interface StatusDocument {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly host: string;
  /** State of the recorder process: `active` records. */
  readonly phase: string;
  readonly recorder: RecorderStatus;
  /** `null` while sync does not answer; then `syncError` says why. */
  readonly sync: SyncStatus | null;
  readonly syncError?: string;
  /** When sync last answered, milliseconds since the Unix epoch; absent: never since the recorder started. */
  readonly syncSeenAtMs?: number;
  readonly system: SystemUsage;
  /** Time until the disk is full at the present rate; `null`: it does not shrink, or this is not known yet. */
  readonly diskTimeToFullMs: number | null;
  readonly alerts: readonly Alert[];
  readonly log: LogStats;
  /** Other parts of the process that report: the live server, the webhook, the page's clients. */
  readonly services: Readonly<Record<string, unknown>>;
}

export interface WatchPorts {
  readonly recorder: MonitoredRecorder;
  readonly sync: MonitoredSync;
  readonly segments: MonitoredSegments;
  readonly system: () => SystemUsage;
  readonly log: MonitoredLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: string;
  readonly rules: readonly AlertRule[];
}

const SAMPLE_MS = 1_000;
/** Samples between two reads of the segments without a client: each read lists five folders. */
const SEGMENTS_EVERY = 10;
const HISTORY_POINTS = 600;
const TOPICS_MAX = 2_000;
const emptyTimeline: Timeline = { version: 0, segments: [], omitted: 0, quarantined: 0 };

/**
 * Samples the recorder, sync and the disk once a second, for all clients: keeps a bounded past, evaluates the
 * alerts, and remembers sync's last answer. It never waits for a reader, and its failures never reach the
 * recorder.
 */
export class Watch implements Disposable {
  readonly history = new History(HISTORY_POINTS);
  readonly topics = new TopicTable(TOPICS_MAX);
  timeline: Timeline = emptyTimeline;
  sync: SyncStatus | undefined;
  alerts: readonly Alert[] = [];
  /** Named reports that `status()` contains under `services`. */
  readonly services = new Map<string, () => unknown>();
  #syncError: string | undefined;
  #syncSeenAtMs: number | undefined;
  #system: SystemUsage;
  #memories: AlertMemories = {};
  readonly #gatherer = new AlertFactsGatherer();
  readonly #listeners = new Set<(changed: Alert) => void>();
  #timer: Timer | undefined;
  #asking: Promise<void> | undefined;
  #looking: Promise<Timeline> | undefined;
  #samples = 0;

  readonly #ports: WatchPorts;

  constructor(ports: WatchPorts) {
    this.#ports = ports;
    this.#system = ports.system();
  }

  /** What a sealed segment holds; undefined: not known. */
  contentOf(segment: TimelineSegment): SegmentContent | undefined {
    return this.#ports.segments.contentOf?.(segment);
  }

  get clock(): Clock {
    return this.#ports.clock;
  }

  start(): void {
    if (this.#timer) return;
    void this.askSync();
    void this.lookAtSegments();
    this.#timer = this.clock.every(SAMPLE_MS, () => this.tick(), { background: true });
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listeners.clear();
  }

  /** Called when an alert is raised or cleared. */
  onAlert(listener: (changed: Alert) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): StatusDocument {
    const { recorder, clock, host, log } = this.#ports;
    const toFull = this.#gatherer.diskTimeToFullMs;
    return {
      atMs: Number(clock.now() / NS_PER_MS),
      host,
      phase: recorder.phase,
      recorder: recorder.status(),
      sync: this.sync ?? null,
      ...defined({ syncError: this.#syncError, syncSeenAtMs: this.#syncSeenAtMs }),
      system: this.#system,
      diskTimeToFullMs: toFull === undefined || !Number.isFinite(toFull) ? null : Math.round(toFull),
      alerts: this.alerts,
      log: log.stats(),
      services: Object.fromEntries([...this.services].map(([name, report]) => [name, report()])),
    };
  }

  /** Asks sync now; never rejects. One question at a time. */
  askSync(): Promise<void> {
    this.#asking ??= this.#ports.sync
      .status()
      .then(
        (status) => {
          this.sync = status;
          this.#syncError = undefined;
          this.#syncSeenAtMs = Number(this.#ports.clock.now() / NS_PER_MS);
        },
        (error: unknown) => {
          this.sync = undefined;
          this.#syncError = describeError(error);
        },
      )
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** Reads the segments now; after an error the last result stays. One read at a time. */
  lookAtSegments(): Promise<Timeline> {
    this.#looking ??= this.#ports.segments
      .refresh(this.sync)
      .then(
        (timeline) => (this.timeline = timeline),
        (error: unknown) => {
          this.#ports.logger.debug('segments could not be listed', { error });
          return this.timeline;
        },
      )
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  tick(): void {
    try {
      this.#sample();
    } catch (error) {
      this.#ports.logger.warn('updating the live state failed, will retry', { error });
    }
    void this.askSync();
    // A connected page reads by itself; without one, only the alerts need the data.
    if (this.#samples % SEGMENTS_EVERY === 0) void this.lookAtSegments();
  }

  #sample(): void {
    const { recorder, clock, rules, log } = this.#ports;
    this.#system = this.#ports.system();
    const status = recorder.status();
    const wallMs = Number(clock.now() / NS_PER_MS);
    const nowMs = Number(clock.monotonic() / NS_PER_MS);
    this.history.add(historyPoint(wallMs, status, this.sync, this.#system));
    if (this.#samples++ % SPARK_STEP_S === 0) this.topics.sample(recorder.topics());
    const facts = this.#gatherer.gather(
      {
        recorder: status,
        ...defined({ sync: this.sync }),
        quarantined: this.timeline.quarantined,
        log: log.stats(),
      },
      nowMs,
    );
    const round = evaluateAlerts(rules, facts, this.#memories, nowMs, wallMs);
    this.#memories = round.memories;
    this.alerts = round.alerts;
    for (const alert of round.changed) this.#tell(alert);
  }

  #tell(alert: Alert): void {
    const { logger } = this.#ports;
    const facts = { alert: alert.id, value: alert.value, limit: alert.limit, unit: alert.unit };
    if (alert.raised) logger.warn(`alert: ${alert.summary}`, facts);
    else logger.info('alert cleared', facts);
    for (const listener of this.#listeners) {
      try {
        listener(alert);
      } catch (error) {
        logger.warn('cannot send an alert', { error });
      }
    }
  }
}
