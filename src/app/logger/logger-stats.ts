import type { HoldfastError } from '../../core/errors.js';
import type { CsvFileState, SinkState } from './logger-protocol.js';

/** One queue: telemetry, fleet estimates, local estimates, or a channel of one's own. */
export interface QueueStats {
  readonly entries: number;
  /** Entries it holds at most. */
  readonly limit: number;
  readonly bytes: number;
  readonly capacityBytes: number;
  /** Entries taken from the program since the start. */
  readonly logged: number;
  /** Entries there was no room for. */
  readonly dropped: number;
  /** Entries that were not as they must be, and the reason of the latest. */
  readonly rejected: number;
  readonly lastRejection: string | undefined;
  /** Numbers that were NaN or infinite, and were recorded as that. */
  readonly notFinite: number;
}

/** What became of the entries in one kind of place. */
export interface PlaceStats extends SinkState {
  /** Durable: fsynced. */
  readonly written: number;
  /** Taken from the queue, and not written in the end. */
  readonly lost: number;
  /** Taken from the queue, and not durable yet. */
  readonly pending: number;
}

export interface CsvStats extends PlaceStats {
  readonly files: readonly CsvFileState[];
}

/** All that can be known of a logger, without waiting. */
export interface LoggerStats {
  readonly vehicleId: string;
  /** `refused`: another logger has the vehicle's files; nothing is logged. */
  readonly state: 'open' | 'closing' | 'closed' | 'refused';
  /** By name of the log: `telemetry`, `received_fleet_estimations`, `received_local_estimations`, own channels. */
  readonly queues: Readonly<Record<string, QueueStats>>;
  readonly wal: PlaceStats | undefined;
  readonly csv: CsvStats | undefined;
  /** Sums over all queues. */
  readonly logged: number;
  readonly dropped: number;
  readonly rejected: number;
  /** Durable in every place the logger writes to. */
  readonly written: number;
  readonly lastError: HoldfastError | undefined;
  readonly worker: { readonly alive: boolean; readonly restarts: number };
}
