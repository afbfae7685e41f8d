import type { SinkStatus, SyncStatus } from '../../core/status.js';

/** A failure, or a change of columns, counts for this long. */
const FAILURE_MS = 60_000;

/** A Parquet sink, from the status. */
export type ParquetSink = Pick<SinkStatus, 'name' | 'link' | 'lastError' | 'alarms' | 'writes'>;

/** Sinks that write Parquet; for a sync process with a single sink, the status itself. */
export function parquetSinks(sync: SyncStatus): readonly ParquetSink[] {
  if (sync.sinks !== undefined) return sync.sinks.filter(({ kind }) => kind === 'parquet');
  if (sync.writes === undefined) return [];
  return [{ ...sync, name: 'parquet', alarms: sync.alarms.length }];
}

/** Follows the Parquet sinks from one status to the next. */
export class ParquetWatch {
  readonly #seen = new Map<string, { failures: number; failedAtMs: number }>();
  readonly #changes = new Map<string, { changes: number; changedAtMs: number }>();

  /** Those that failed in the last minute, cannot be reached, or have parked segments. */
  failing(sync: SyncStatus, nowMs: number): readonly ParquetSink[] {
    return parquetSinks(sync).filter((sink) => {
      const failures = sink.writes?.failures ?? 0;
      const before = this.#seen.get(sink.name) ?? { failures: 0, failedAtMs: -Infinity };
      const failedAtMs = failures > before.failures ? nowMs : before.failedAtMs;
      this.#seen.set(sink.name, { failures, failedAtMs });
      return sink.link === 'offline' || sink.alarms > 0 || nowMs - failedAtMs < FAILURE_MS;
    });
  }

  /** Those whose tables got other columns in the last minute. */
  changed(sync: SyncStatus, nowMs: number): readonly ParquetSink[] {
    return parquetSinks(sync).filter((sink) => {
      const changes = sink.writes?.schemaChanges ?? 0;
      const before = this.#changes.get(sink.name) ?? { changes: 0, changedAtMs: -Infinity };
      const changedAtMs = changes > before.changes ? nowMs : before.changedAtMs;
      this.#changes.set(sink.name, { changes, changedAtMs });
      return nowMs - changedAtMs < FAILURE_MS;
    });
  }
}

/** The sinks and the last change of columns of each, as one line. */
export function describeSchemaChanges(sync: SyncStatus | undefined): string {
  if (sync === undefined) return 'sync does not answer';
  return parquetSinks(sync)
    .flatMap(({ name, writes }) =>
      writes?.lastSchemaChange === undefined ? [] : [`${name}: ${writes.lastSchemaChange}`],
    )
    .join('; ');
}

/** The sinks and the last message of each, as one line. */
export function describeParquet(sync: SyncStatus | undefined): string {
  if (sync === undefined) return 'sync does not answer';
  return parquetSinks(sync)
    .map(({ name, link, lastError }) => `${name}: ${lastError ?? link}`)
    .join('; ');
}
