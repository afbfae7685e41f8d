import type { ErrorCode } from '../../core/error-catalogue.js';
import type { MessageDefinition } from '../../sources/logger/field.js';
import type { CompiledCsv, CompiledWal } from './logger-options.js';

/** Words of the memory that a process shares with its logger thread. */
export const ThreadWord = {
  /** 1 once everything was closed at the process's end. */
  ended: 0,
} as const;
/** Numbers of it. */
export const ThreadNumber = {
  /** Add it to `performance.now()` of the process: milliseconds since the Unix epoch, following the wall clock. */
  wallOffsetMs: 1,
} as const;
export const THREAD_SHARED_BYTES = 64;

export interface ThreadData {
  readonly shared: SharedArrayBuffer;
  /** Add it to `performance.now()` of the process: milliseconds of its monotonic clock. */
  readonly monotonicOffsetMs: number;
}

export interface ChannelSpec {
  /** `telemetry`; the topic is `/vehicle_<id>/<name>`. */
  readonly name: string;
  readonly definition: MessageDefinition;
  readonly ring: SharedArrayBuffer;
  /** Entries the ring holds at most. */
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
  /** The process ends: close everything and say so in {@link ThreadWord.ended}. */
  | { readonly kind: 'end'; readonly withinMs: number };

/** A problem, as it crosses threads. */
export interface ProblemReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface SinkState {
  /** Folder (CSV) or data folder (WAL). */
  readonly folder: string;
  readonly state: 'opening' | 'open' | 'failing' | 'closed';
  readonly lastError: string | undefined;
}

export interface CsvFileState {
  readonly path: string;
  /** On the disk, fsynced. */
  readonly bytes: number;
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
