import type { HoldfastError } from '../core/errors.js';
import type { CsvFileState, SinkState } from './logger-protocol.js';

/** One queue: telemetry, fleet estimates, local estimates, or a channel. */
export interface QueueStats {
  /** Number of entries waiting now. */
  readonly entries: number;
  /** Maximum number of entries. */
  readonly limit: number;
  /** Size of the waiting entries, bytes. */
  readonly bytes: number;
  /** Shared memory of the queue, bytes. */
  readonly capacityBytes: number;
  /** Entries accepted from the program since the start. */
  readonly logged: number;
  /** Entries dropped because the queue was full. */
  readonly dropped: number;
  /** Entries rejected because they were invalid. */
  readonly rejected: number;
  /** Reason of the latest rejection; absent if there was none. */
  readonly lastRejection: string | undefined;
  /** Numbers that were NaN or infinite, and were recorded as such. */
  readonly notFinite: number;
}

/** What happened to the entries in one kind of place. */
export interface PlaceStats extends SinkState {
  /** Durable: fsynced. */
  readonly written: number;
  /** Taken from the queue, but finally not written. */
  readonly lost: number;
  /** Taken from the queue, and not durable yet. */
  readonly pending: number;
}

/** What happened to the entries in the CSV files. */
export interface CsvStats extends PlaceStats {
  /** The files of this vehicle. */
  readonly files: readonly CsvFileState[];
}

/** The thread that the loggers of a process share. */
export interface WorkerStats {
  /** False while it is being restarted. */
  readonly alive: boolean;
  /** How often it died and was restarted. */
  readonly restarts: number;
  /** How much lower its priority is than the program's (Linux; 0 elsewhere, and until it has started). */
  readonly niceness: number;
}

/** The state of a logger; reading it never waits. */
export interface LoggerStats {
  /** The vehicle id as given, as text. */
  readonly vehicleId: string;
  /** `refused`: another logger has the vehicle's files, and nothing is logged. */
  readonly state: 'open' | 'closing' | 'closed' | 'refused';
  /**
   * By name of the log: `telemetry`, `received_fleet_estimations`, `received_local_estimations`, and
   * channels.
   */
  readonly queues: Readonly<Record<string, QueueStats>>;
  /** Absent if the logger has no `wal`. */
  readonly wal: PlaceStats | undefined;
  /** Absent if the logger has no `dir`. */
  readonly csv: CsvStats | undefined;
  /** Sums over all queues. */
  readonly logged: number;
  /** Entries dropped because a queue was full. */
  readonly dropped: number;
  /** Entries rejected because they were invalid. */
  readonly rejected: number;
  /** Entries that are durable in every place of the logger. */
  readonly written: number;
  /** The latest problem. */
  readonly lastError: HoldfastError | undefined;
  /** The thread of the loggers. */
  readonly worker: WorkerStats;
}
