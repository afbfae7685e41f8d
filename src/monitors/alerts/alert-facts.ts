import { defined } from '../../core/defined.js';
import type { LogStats } from '../../core/monitoring.js';
import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import { present } from '../../core/present.js';
import type { AlertFacts } from './alert-rules.js';
import { ParquetWatch } from './parquet-watch.js';

const RATE_WINDOW_MS = 10_000;
const DISK_WINDOW_MS = 60_000;
/** Below this duration, a trend of the disk has no meaning. */
const DISK_WINDOW_MIN_MS = 10_000;

export interface AlertInput {
  readonly recorder: RecorderStatus;
  /** Absent: sync does not answer. */
  readonly sync?: SyncStatus;
  readonly quarantined?: number;
  /** Absent: the log has no file. */
  readonly log?: LogStats;
}

interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** Derives the facts for the rules from successive statuses: rates, trends, and durations. */
export class AlertFactsGatherer {
  readonly #dropped: Sample[] = [];
  readonly #anomalies: Sample[] = [];
  readonly #free: Sample[] = [];
  readonly #parquet = new ParquetWatch();
  #pendingBytes: number | undefined;
  #progressAtMs = 0;
  #syncSeenAtMs: number | undefined;
  #linkDownAtMs: number | undefined;
  /**
   * Time until the disk is full at the present rate, milliseconds; infinite if its free space does not
   * shrink.
   */
  diskTimeToFullMs: number | undefined;

  /** @param nowMs - of a monotonic clock */
  gather({ recorder, sync, quarantined, log }: AlertInput, nowMs: number): AlertFacts {
    keep(this.#dropped, { atMs: nowMs, value: recorder.totals.dropped }, RATE_WINDOW_MS);
    if (recorder.anomalies !== undefined) {
      const seen = recorder.anomalies.rules.reduce((sum, rule) => sum + rule.seen, 0);
      keep(this.#anomalies, { atMs: nowMs, value: seen }, RATE_WINDOW_MS);
    }
    if (recorder.disk.totalBytes > 0) {
      keep(this.#free, { atMs: nowMs, value: recorder.disk.freeBytes }, DISK_WINDOW_MS);
    }
    this.diskTimeToFullMs = timeToZero(this.#free);
    if (sync !== undefined) this.#syncSeenAtMs = nowMs;
    return {
      lossWindowMs: recorder.lossWindow.ms,
      droppedPerS: Math.max(0, perSecond(this.#dropped)),
      ...defined({ diskTimeToFullMs: this.diskTimeToFullMs }),
      ...(this.#anomalies.length === 0 ? {} : { anomaliesPerS: anomaliesPerS(recorder, this.#anomalies) }),
      unsealedSegments: recorder.wal.setAside ?? 0,
      silentTopics: recorder.sources.reduce((sum, { stats }) => sum + (stats?.silentTopics ?? 0), 0),
      recorderStalled: recorder.state === 'stalled' ? 1 : 0,
      ...defined({ quarantinedSegments: quarantined, logQueuePercent: queuePercent(log) }),
      ...(this.#syncSeenAtMs === undefined ? {} : { syncDownMs: nowMs - this.#syncSeenAtMs }),
      ...(sync === undefined ? {} : this.#ofSync(sync, nowMs)),
    };
  }

  #ofSync(sync: SyncStatus, nowMs: number): AlertFacts {
    const pending = sync.bytes.pending;
    const isMoving =
      pending === 0 ||
      sync.link !== 'online' ||
      this.#pendingBytes === undefined ||
      pending < this.#pendingBytes ||
      sync.transferBytesPerS > 0;
    if (isMoving) this.#progressAtMs = nowMs;
    this.#pendingBytes = pending;
    this.#linkDownAtMs = sync.link === 'offline' ? (this.#linkDownAtMs ?? nowMs) : undefined;
    return {
      syncStalledMs: nowMs - this.#progressAtMs,
      linkDownMs: this.#linkDownAtMs === undefined ? 0 : nowMs - this.#linkDownAtMs,
      parkedSegments: sync.segments.parked,
      lostSegments: sync.segments.lost ?? 0,
      failingParquetSinks: this.#parquet.failing(sync, nowMs).length,
      changedParquetSinks: this.#parquet.changed(sync, nowMs).length,
    };
  }
}

function queuePercent(log: LogStats | undefined): number | undefined {
  if (log === undefined || log.queueMaxLines === 0) return undefined;
  const { queuedLines, queueMaxLines, queuedBytes, queueMaxBytes } = log;
  return 100 * Math.max(queuedLines / queueMaxLines, queuedBytes / queueMaxBytes);
}

/** Without rules there are no anomalies any more. */
function anomaliesPerS({ anomalies }: RecorderStatus, seen: readonly Sample[]): number {
  return anomalies === undefined ? 0 : Math.max(0, perSecond(seen));
}

function keep(samples: Sample[], sample: Sample, windowMs: number): void {
  samples.push(sample);
  while (samples.length > 2 && sample.atMs - samples[0]!.atMs > windowMs) samples.shift();
}

function perSecond(samples: readonly Sample[]): number {
  const first = samples[0]!;
  const last = present(samples.at(-1));
  return last.atMs === first.atMs ? 0 : ((last.value - first.value) / (last.atMs - first.atMs)) * 1_000;
}

function timeToZero(samples: readonly Sample[]): number | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || last.atMs - first.atMs < DISK_WINDOW_MIN_MS) return undefined;
  const rate = perSecond(samples);
  return rate >= 0 ? Infinity : (last.value / -rate) * 1_000;
}
