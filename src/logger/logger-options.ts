import { hostname } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import { HoldfastError } from '../core/errors.js';
import type { HoldfastError as LoggerProblem } from '../core/errors.js';
import { compileRecorderOptions } from '../settings/compile-recorder.js';
import { configInvalid, type ConfigFault } from '../settings/fault.js';
import { isParameterName } from '../settings/parameter-table.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import { resolve, type RawFlags } from '../settings/resolve.js';

/** Limits of the CSV files of a {@link VehicleLogger}. */
export interface CsvLimits {
  /** Maximum number of entries of one file that a crash may lose. Default 100; 1 to 100,000. */
  readonly maxEntries?: number;
  /** Maximum time of entries that a crash may lose, ms. Default 1,000; 20 to 60,000. */
  readonly maxMs?: number;
  /** Maximum size of a file, bytes; then it is rotated. Default 100,000,000; 4,096 or more. */
  readonly maxBytes?: number;
  /** Number of rotated files that are kept; `<file>.1` is the newest. Default 5; 0 to 1,000. */
  readonly kept?: number;
  /** Texts that a spreadsheet would run as a formula get an apostrophe before them. Default false. */
  readonly guardFormulas?: boolean;
}

/** A data folder with parameters of its own. */
export interface WalPlace {
  /** The data folder. */
  readonly data: string;
  /** Recorder parameters by their names (docs/parameters.md), such as `{ 'segment.max_bytes': '16MiB' }`. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Options of a {@link VehicleLogger}. At least one of `dir` and `wal` is needed; both may be given. */
export interface VehicleLoggerOptions {
  /** A whole number from 0, or a text of up to 40 letters, digits and `_`. The robot is `vehicle_<id>`. */
  readonly vehicleId: number | string;
  /** Folder for CSV files; created if it does not exist. Default: no CSV files. */
  readonly dir?: string;
  /** Limits of the CSV files. Default: those of {@link CsvLimits}. */
  readonly csv?: CsvLimits;
  /** Data folder of a recording, sealed and synced like any other. Default: no recording. */
  readonly wal?: string | WalPlace;
  /** Maximum number of entries of one queue while disks are slow. Default 1,000; 16 to 100,000. */
  readonly queueEntries?: number;
  /** Called with problems, at most once a second for each; never from inside a log call. */
  readonly onError?: (problem: LoggerProblem) => void;
  /** How long an ending process waits for queued entries, ms. Default 3,000; 0 to 60,000. */
  readonly exitDrainMs?: number;
  /**
   * How long `close` waits for a disk that does not accept the queued entries, ms. Default 15,000; 0 to
   * 600,000.
   */
  readonly closeMs?: number;
}

export interface CompiledCsv {
  readonly dir: string;
  readonly maxEntries: number;
  readonly maxMs: number;
  readonly maxBytes: number;
  readonly kept: number;
  readonly guardFormulas: boolean;
}

export interface CompiledWal {
  readonly data: string;
  readonly flags: RawFlags;
}

/** Checked, with all defaults filled in. */
export interface LoggerOptions {
  readonly vehicleId: string;
  readonly csv: CompiledCsv | undefined;
  readonly wal: CompiledWal | undefined;
  readonly queueEntries: number;
  readonly onError: ((problem: LoggerProblem) => void) | undefined;
  readonly exitDrainMs: number;
  readonly closeMs: number;
}

/**
 * Parameters with other defaults than for the recorder of a whole robot: a logger's messages are small, and a
 * control program leaves less memory and disk.
 */
const walDefaults: RawFlags = {
  'queue.total_max_bytes': 8 * 2 ** 20,
  'queue.max_bytes': 4 * 2 ** 20,
  'segment.max_bytes': 16 * 2 ** 20,
};

/** Throws `CONFIG_INVALID` with all faults at once. */
export function parseLoggerOptions(given: VehicleLoggerOptions): LoggerOptions {
  const faults: ConfigFault[] = [];
  const check = new Checker(faults);
  const options = check.object('options', given) as Partial<VehicleLoggerOptions>;
  check.onlyKnown('', options, [
    'vehicleId',
    'dir',
    'csv',
    'wal',
    'queueEntries',
    'onError',
    'exitDrainMs',
    'closeMs',
  ]);
  const { vehicleId, dir, wal, onError } = options;
  const id = typeof vehicleId === 'number' ? String(vehicleId) : vehicleId;
  const isId =
    typeof vehicleId === 'number'
      ? Number.isSafeInteger(vehicleId) && vehicleId >= 0
      : typeof vehicleId === 'string' && /^\w{1,40}$/.test(vehicleId);
  if (!isId) check.fault('vehicleId', vehicleId, 'a whole number from 0, or 1 to 40 letters, digits and _');
  if (dir !== undefined && !isPath(dir)) check.fault('dir', dir, 'the path of a folder');
  if (onError !== undefined && typeof onError !== 'function') check.fault('onError', onError, 'a function');
  if (dir === undefined && wal === undefined) {
    faults.push({
      where: 'VehicleLogger',
      path: 'dir, wal',
      value: undefined,
      allowed: 'one of them is needed',
    });
  }
  const limits = check.object('csv', options.csv ?? {}) as CsvLimits;
  check.onlyKnown('csv.', limits, ['maxEntries', 'maxMs', 'maxBytes', 'kept', 'guardFormulas']);
  const csv = {
    dir: isPath(dir) ? resolvePath(dir) : '',
    maxEntries: check.number('csv.maxEntries', limits.maxEntries, 100, 1, 100_000),
    maxMs: check.number('csv.maxMs', limits.maxMs, 1_000, 20, 60_000),
    maxBytes: check.number('csv.maxBytes', limits.maxBytes, 100_000_000, 4_096, Number.MAX_SAFE_INTEGER),
    kept: check.number('csv.kept', limits.kept, 5, 0, 1_000),
    guardFormulas: check.flag('csv.guardFormulas', limits.guardFormulas, false),
  };
  const compiled: LoggerOptions = {
    vehicleId: String(id),
    csv: dir === undefined ? undefined : csv,
    wal: wal === undefined ? undefined : compileWal(wal, check),
    queueEntries: check.number('queueEntries', options.queueEntries, 1_000, 16, 100_000),
    onError,
    exitDrainMs: check.number('exitDrainMs', options.exitDrainMs, 3_000, 0, 60_000),
    closeMs: check.number('closeMs', options.closeMs, 15_000, 0, 600_000),
  };
  if (faults.length > 0) throw configInvalid(faults);
  return Object.freeze(compiled);
}

function compileWal(given: string | WalPlace, check: Checker): CompiledWal | undefined {
  const place =
    typeof given === 'string' ? { data: given } : (check.object('wal', given) as Partial<WalPlace>);
  check.onlyKnown('wal.', place, ['data', 'parameters']);
  if (!isPath(place.data)) {
    check.fault('wal.data', place.data, 'the path of a data folder');
    return undefined;
  }
  const parameters = check.object('wal.parameters', place.parameters ?? {});
  const taken = ['data', 'sources', 'robot', 'robot_from_namespace'];
  for (const name of Object.keys(parameters)) {
    if (!isParameterName(name))
      check.fault(`wal.parameters.${name}`, parameters[name], 'names of docs/parameters.md');
    else if (taken.includes(name))
      check.fault(`wal.parameters.${name}`, parameters[name], 'left to the logger');
  }
  const flags: RawFlags = { ...walDefaults, ...parameters, data: resolvePath(place.data) };
  try {
    recorderOptions(flags);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    for (const fault of (error.facts['faults'] ?? []) as readonly ConfigFault[]) {
      check.faults.push({ ...fault, where: 'VehicleLogger', path: `wal.parameters.${fault.path}` });
    }
  }
  return { data: resolvePath(place.data), flags };
}

/** The recorder's options for a logger's data folder. Throws `CONFIG_INVALID`. */
export function recorderOptions(flags: RawFlags): RecorderOptions {
  // The source is passed as an object; the URI only fills its place.
  const resolved = resolve('recorder', undefined, { ...flags, sources: ['sim:'] });
  return compileRecorderOptions(resolved, { hostname: hostname() });
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

/** Collects faults. */
class Checker {
  constructor(readonly faults: ConfigFault[]) {}

  fault(path: string, value: unknown, allowed: string): void {
    this.faults.push({ where: 'VehicleLogger', path, value: plain(value), allowed: `allowed: ${allowed}` });
  }

  object(path: string, value: unknown): Readonly<Record<string, unknown>> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
    this.fault(path, value, 'an object');
    return {};
  }

  onlyKnown(prefix: string, given: object, known: readonly string[]): void {
    for (const name of Object.keys(given)) {
      if (!known.includes(name)) this.fault(`${prefix}${name}`, undefined, known.join(', '));
    }
  }

  flag(path: string, value: unknown, byDefault: boolean): boolean {
    if (value === undefined || typeof value === 'boolean') return value ?? byDefault;
    this.fault(path, value, 'true or false');
    return byDefault;
  }

  number(path: string, value: unknown, byDefault: number, low: number, high: number): number {
    if (value === undefined) return byDefault;
    if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high) {
      return value as number;
    }
    this.fault(path, value, `a whole number from ${low} to ${high}`);
    return byDefault;
  }
}

/** Short enough for a message of one line. */
function plain(value: unknown): unknown {
  return typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol'
    ? `${typeof value} ${String(value).slice(0, 40)}`
    : value;
}
