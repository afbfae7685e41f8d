import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import type { SystemUsage } from '../../core/monitoring.js';

/** Columns of the history with their content. An unknown value is `null`. */
export const historyColumns = {
  atMs: 'milliseconds since the Unix epoch',
  messagesPerS: 'messages received per second',
  bytesPerS: 'payload bytes received per second',
  commitP50Ms: 'median commit, milliseconds',
  commitP99Ms: '99th percentile of commits, milliseconds',
  lossWindowMs: 'age of the oldest message not yet durable, milliseconds',
  lossWindowMessages: 'messages not yet durable',
  queueBytes: 'payload bytes in the queues',
  walBytes: 'bytes of the open WAL segment',
  walWaiting: 'closed WAL segments that wait to be sealed',
  dropped: 'messages dropped since the start',
  diskFreeBytes: 'free bytes of the disk',
  transferBytesPerS: 'upload rate, bytes per second',
  pendingBytes: 'sealed bytes that wait for the store',
  online: '1 while the store can be reached, 0 while not',
  cpuPercent: 'CPU of the recorder, percent of one core',
  memoryMb: 'resident memory of the recorder, megabytes',
} as const;

export type HistoryColumn = keyof typeof historyColumns;
export type HistoryPoint = Readonly<Record<HistoryColumn, number | null>>;

/** Columns of equal length, oldest first, for a chart. */
export type HistoryJson = Readonly<Record<HistoryColumn, readonly (number | null)[]>>;

const names = Object.keys(historyColumns) as readonly HistoryColumn[];

/** The last minutes, one point per second, so that a page which connects has a past; memory is fixed. */
export class History {
  readonly #points: HistoryPoint[] = [];

  readonly #maxPoints: number;

  /** @param maxPoints - maximum number kept; one per second */
  constructor(maxPoints: number) {
    this.#maxPoints = maxPoints;
  }

  add(point: HistoryPoint): void {
    this.#points.push(point);
    if (this.#points.length > this.#maxPoints) this.#points.shift();
  }

  get last(): HistoryPoint | undefined {
    return this.#points.at(-1);
  }

  toJson(): HistoryJson {
    const columns: Partial<Record<HistoryColumn, readonly (number | null)[]>> = {};
    for (const name of names) columns[name] = this.#points.map((point) => point[name]);
    return columns as HistoryJson;
  }
}

/** One point of the present values. */
export function historyPoint(
  atMs: number,
  recorder: RecorderStatus,
  sync: SyncStatus | undefined,
  system: SystemUsage,
): HistoryPoint {
  return {
    atMs,
    messagesPerS: rounded(recorder.rates.messagesPerS),
    bytesPerS: rounded(recorder.rates.bytesPerS),
    commitP50Ms: rounded(recorder.commits.p50Ms),
    commitP99Ms: rounded(recorder.commits.p99Ms),
    lossWindowMs: rounded(recorder.lossWindow.ms),
    lossWindowMessages: recorder.lossWindow.messages,
    queueBytes: recorder.queue.bytes,
    walBytes: recorder.wal.openBytes,
    walWaiting: recorder.wal.waiting,
    dropped: recorder.totals.dropped,
    diskFreeBytes: recorder.disk.freeBytes,
    transferBytesPerS: sync === undefined ? null : rounded(sync.transferBytesPerS),
    pendingBytes: sync === undefined ? null : sync.bytes.pending,
    online: sync === undefined ? null : sync.link === 'online' ? 1 : 0,
    cpuPercent: rounded(system.cpuPercent),
    memoryMb: rounded(system.memoryMb),
  };
}

/** Two decimals are enough for a chart and halve its bytes. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
