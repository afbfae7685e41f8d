import type { ErrorCode } from '../core/error-catalogue.js';
import type { MessageDefinition } from '../core/ros/message-definition.js';
import type { CompiledCsv, CompiledWal } from './logger-options.js';

/** Words of the memory that a process shares with its logger thread. */
export const ThreadWord = {
  /** 1 once everything was closed at the end of the process. */
  ended: 0,
  /** How much lower the thread's priority is than the program's (`nice`); 0: the same, or not known yet. */
  niceness: 1,
} as const;
/** Numbers of it. */
export const ThreadNumber = {
  /** Add it to `performance.now()` of the process to get milliseconds since the Unix epoch by the wall clock. */
  wallOffsetMs: 1,
} as const;
export const THREAD_SHARED_BYTES = 64;

export interface ThreadData {
  readonly shared: SharedArrayBuffer;
  /** Add it to `performance.now()` of the process to get milliseconds of its monotonic clock. */
  readonly monotonicOffsetMs: number;
}

export interface ChannelSpec {
  /** `telemetry`; the topic is `/vehicle_<id>/<name>`. */
  readonly name: string;
  readonly definition: MessageDefinition;
  readonly ring: SharedArrayBuffer;
  /** Maximum number of entries of the ring. */
  readonly queueEntries: number;
}

export interface LoggerSpec {
  readonly id: number;
  readonly vehicleId: string;
  readonly csv: CompiledCsv | undefined;
  readonly wal: CompiledWal | undefined;
  readonly closeMs: number;
}

export type ToThread =
  | { readonly kind: 'open'; readonly logger: LoggerSpec }
  | { readonly kind: 'channel'; readonly id: number; readonly channel: ChannelSpec }
  | { readonly kind: 'close'; readonly id: number }
  /** The process ends: close everything and report it in {@link ThreadWord.ended}. */
  | { readonly kind: 'end'; readonly withinMs: number };

/** A problem, in the form that crosses threads. */
export interface ProblemReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** State of one kind of place. */
export interface SinkState {
  /** Folder (CSV) or data folder (WAL). */
  readonly folder: string;
  /** `failing`: the disk refuses, and writing is retried. */
  readonly state: 'opening' | 'open' | 'failing' | 'closed';
  /** Why it is failing. */
  readonly lastError: string | undefined;
}

/** One CSV file. */
export interface CsvFileState {
  /** Size of the present file, bytes. */
  readonly path: string;
  /** Bytes on the disk, fsynced. */
  readonly bytes: number;
  /** Number of full files that were rotated. */
  readonly rotations: number;
}

export type FromThread =
  | { readonly kind: 'problem'; readonly id: number; readonly problem: ProblemReport }
  | { readonly kind: 'wal'; readonly id: number; readonly state: SinkState }
  | {
      readonly kind: 'csv';
      readonly id: number;
      readonly state: SinkState;
      readonly files: readonly CsvFileState[];
    }
  | { readonly kind: 'closed'; readonly id: number };
