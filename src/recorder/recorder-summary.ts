import type { RecorderParts } from './recorder-parts.js';
import type { RecorderRun } from './recorder-run.js';

/** The result of a finished recording. */
export interface RecordSummary {
  readonly received: number;
  readonly durable: number;
  readonly durableBytes: number;
  readonly dropped: number;
  /** Left out by the rules (`max_hz`, `every`). */
  readonly decimated: number;
  /** Of those dropped: in memory at the end, when the disk still refused them. */
  readonly givenUp: number;
  /**
   * Received, and neither durable nor left out nor in a durable gap: 0 unless the disk refused even the gaps until
   * the end, or a source keeps messages because they were not acknowledged.
   */
  readonly undurable: number;
  readonly gaps: number;
  readonly unreadableBytes: number;
  readonly sealedSegments: number;
  readonly waitingSegments: number;
  readonly maxLossWindowMs: number;
  readonly failedSources: readonly { readonly uri: string; readonly error: unknown }[];
}

/** Facts of single runs, summed up. */
export class RunTotals {
  gaps = 0;
  givenUp = 0;
  unreadableBytes = 0;
  /** By URI: a source that fails each time it is opened counts once. */
  readonly failures = new Map<string, unknown>();

  /** Called once per run, when it has ended. */
  add({ gaps, givenUp, sources }: RecorderRun): void {
    this.gaps += gaps;
    this.givenUp += givenUp;
    for (const { uri, failure, unreadableBytes } of sources) {
      this.unreadableBytes += unreadableBytes;
      if (failure !== undefined) this.failures.set(uri, failure);
    }
  }
}

/** Over all runs of one recorder. */
export function summarize(
  { wal, sealer, meters, drops }: Pick<RecorderParts, 'wal' | 'sealer' | 'meters' | 'drops'>,
  runs: RunTotals,
): RecordSummary {
  const { received, dropped, decimated } = meters.sums();
  return {
    received,
    durable: wal.durable,
    durableBytes: wal.durableBytes,
    dropped,
    decimated,
    givenUp: runs.givenUp,
    undurable: Math.max(0, received - dropped - decimated - wal.durable) + drops.unwritten,
    gaps: runs.gaps,
    unreadableBytes: runs.unreadableBytes,
    sealedSegments: sealer.sealedObjects,
    waitingSegments: sealer.waiting,
    maxLossWindowMs: wal.maxLossWindowMs,
    failedSources: [...runs.failures].map(([uri, error]) => ({ uri, error })),
  };
}
