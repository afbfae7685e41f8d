import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { SourceUri } from '../source-uri.js';
import {
  durationMsOption,
  integerOption,
  invalidOptions,
  numberOption,
  readUriOptions,
  speedOption,
  textOption,
  utcTimeOption,
  type UriOption,
} from '../uri-options.js';
import { readColumnMap, type ColumnMap } from './column-map.js';
import { logLines } from './log-lines.js';
import { layOut, type Layout } from './row-reader.js';
import { vehicleProfiles, type ProfileName } from './vehicle-profile.js';

/** The options of a `csv:` URI. docs/drive-log.md lists them. */
export interface CsvOptions {
  readonly path: string;
  /** Rows per second; undefined: by the times of the log. */
  readonly ratePerS: number | undefined;
  /** Multiple of real time; Infinity: as fast as possible. */
  readonly speed: number;
  readonly vehicles: number;
  /** Names of vehicles: this prefix and a number from 1. */
  readonly name: string;
  /** Delay between the starts of two successive vehicles. */
  readonly timeOffsetMs: number;
  /** Distance to the right between two successive vehicles, metres. */
  readonly positionOffsetM: number;
  readonly variation: number;
  /** Kinds of the vehicles, which take them in turn. */
  readonly profiles: readonly ProfileName[];
  readonly seed: number;
  /** How often the log is played; Infinity: for ever. */
  readonly passes: number;
  /** Time of the first row: now, as in the log, or nanoseconds since the Unix epoch. */
  readonly start: 'now' | 'log' | bigint;
  readonly map: ColumnMap | undefined;
}

/** The drives that come with the product, and the files that hold them. */
export const bundledDrives = { bundled: 'commute.csv', electric: 'electric.csv' } as const;

function fileOf(path: string, drivesFolder: string): string {
  const isBundled = Object.hasOwn(bundledDrives, path);
  return isBundled ? join(drivesFolder, bundledDrives[path as keyof typeof bundledDrives]) : path;
}

const MAX_MAP_BYTES = 1024 * 1024;
const MAX_LOOPS = 1_000_000;

const startOption: UriOption<'now' | 'log' | bigint> = {
  default: 'now',
  allowed: 'now, log, or a time such as 2026-11-21T08:00:00Z',
  read: (text) => {
    if (text === 'now' || text === 'log') return text;
    const time = utcTimeOption.read(text);
    return time !== undefined && time > 0n ? time : undefined;
  },
};

const loopOption: UriOption<number> = {
  default: 1,
  allowed: `false, true (for ever), or how often it is played, from 1 to ${MAX_LOOPS}`,
  read: (text) => {
    if (text === 'true' || text === 'forever') return Infinity;
    return text === 'false' ? 1 : integerOption(1, 1, MAX_LOOPS).read(text);
  },
};

const offsetOption: UriOption<number | undefined> = {
  default: 2_000,
  allowed: 'a duration such as 500ms, 2s or 0s',
  read: (text) => (/^0(ms|s)?$/.test(text) ? 0 : durationMsOption(undefined).read(text)),
};

const rateOption: UriOption<number | undefined> = {
  ...numberOption(1, 0.001, 100_000),
  default: undefined,
};

const signedOption: UriOption<number> = {
  default: 3.5,
  allowed: 'metres, from -1000 to 1000',
  read: (text) => {
    const metres = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    return Math.abs(metres) <= 1_000 ? metres : undefined;
  },
};

const profileNames = Object.keys(vehicleProfiles) as ProfileName[];

const profilesOption: UriOption<readonly ProfileName[]> = {
  default: ['car'],
  allowed: `names of ${profileNames.join(', ')}, separated by commas`,
  read: (text) => {
    const names = text.split(',');
    const known = names.filter((name): name is ProfileName => profileNames.some((one) => one === name));
    return known.length === names.length ? known : undefined;
  },
};

const table = {
  rate: rateOption,
  speed: speedOption(1),
  map: textOption('the path of a YAML file'),
  vehicles: integerOption(1, 1, 200),
  name: textOption('a name of letters, digits and _', /^[A-Za-z][A-Za-z0-9_]{0,31}$/),
  time_offset: offsetOption,
  position_offset: signedOption,
  variation: numberOption(1, 0, 10),
  profiles: profilesOption,
  seed: integerOption(1, 0, 0xffff_ffff),
  loop: loopOption,
  start: startOption,
};

/**
 * Reads `csv:FILE?rate=50&map=FILE&vehicles=5` and the map. If the log exists, its header is checked too, so
 * that all faults of the map are reported at once.
 *
 * @param drivesFolder holds the drives of `csv:bundled` and `csv:electric`.
 * @throws HoldfastError CONFIG_INVALID with all faults.
 */
export async function readCsvUri(uri: SourceUri, fs: FileSystem, drivesFolder: string): Promise<CsvOptions> {
  if (uri.path === '')
    throw invalidOptions(uri, [
      `the path is empty, allowed: a file, or ${Object.keys(bundledDrives).join(' or ')}`,
    ]);
  const given = readUriOptions(uri, table);
  const { map, faults } = await readMap(given.map, fs);
  if (given.map !== undefined && map === undefined) throw invalidOptions(uri, faults);
  const options: CsvOptions = {
    path: fileOf(uri.path, drivesFolder),
    ...{ ratePerS: given.rate, speed: given.speed, vehicles: given.vehicles, name: given.name ?? 'vehicle' },
    ...{ timeOffsetMs: given.time_offset ?? 0, positionOffsetM: given.position_offset },
    profiles: given.profiles,
    ...{ variation: given.variation, seed: given.seed, passes: given.loop, start: given.start, map },
  };
  try {
    await readLayout(options, fs, faults);
  } catch (error) {
    if (isHoldfastError(error, 'CONFIG_INVALID')) throw invalidOptions(uri, faultsOf(error));
    // An unreadable log is reported when it is opened, as for any other source.
  }
  if (faults.length > 0) throw invalidOptions(uri, faults);
  return options;
}

/**
 * The columns of the log by its header.
 *
 * @param before faults found earlier, to be reported together.
 * @throws HoldfastError CONFIG_INVALID with all faults, SOURCE_UNREADABLE if there is no header.
 */
export async function readLayout(
  { path, map, ratePerS, start }: CsvOptions,
  fs: FileSystem,
  before: readonly string[] = [],
): Promise<{ readonly layout: Layout; readonly ignored: readonly string[] }> {
  const header = await readHeader(path, fs);
  const { layout, ignored, faults } = layOut(header, map);
  const hasTime = layout.uses.some(({ use }) => use.kind === 'time');
  const all = [...before, ...faults];
  if (all.length === 0 && ratePerS === undefined && !hasTime) {
    all.push('the log has no column of times: give rate=ROWS_PER_SECOND, or a column with the field time');
  }
  if (start === 'log' && (ratePerS !== undefined || !hasTime)) {
    all.push('start=log: needs a column of times and no rate');
  }
  if (all.length > 0)
    throw new HoldfastError('CONFIG_INVALID', all.join('; '), { facts: { path, faults: all } });
  return { layout, ignored };
}

async function readHeader(path: string, fs: FileSystem): Promise<string> {
  const unreadable = (reason: string, cause?: unknown): HoldfastError =>
    new HoldfastError('SOURCE_UNREADABLE', `source csv:${path} cannot be read: ${reason}`, {
      ...defined({ cause }),
      facts: { path, reason },
    });
  const handle = await fs.open(path, 'r').catch((error: unknown) => {
    throw unreadable(describeError(error), error);
  });
  try {
    for await (const lines of logLines(handle, new AbortController().signal)) {
      for (const { text, number } of lines) {
        if (text === undefined) throw unreadable(`line ${number} is longer than any header`);
        if (text.includes('\0'))
          throw unreadable('it has zero bytes, as UTF-16 and binary files have; allowed: UTF-8');
        if (text.trim() !== '') return text;
      }
    }
  } catch (error) {
    throw isHoldfastError(error) ? error : unreadable(describeError(error), error);
  } finally {
    await handle.close();
  }
  throw unreadable('the file is empty: it has no header');
}

async function readMap(
  path: string | undefined,
  fs: FileSystem,
): Promise<{ readonly map: ColumnMap | undefined; readonly faults: readonly string[] }> {
  if (path === undefined) return { map: undefined, faults: [] };
  let text: string;
  try {
    const { size } = await fs.stat(path);
    if (size > MAX_MAP_BYTES) return { map: undefined, faults: [`map: "${path}" has ${size} bytes`] };
    text = await fs.readFile(path, 'utf8');
  } catch (error) {
    return { map: undefined, faults: [`map: "${path}" cannot be read: ${describeError(error)}`] };
  }
  const { map, faults } = readColumnMap(text);
  return { map, faults: faults.map((fault) => `map ${path}: ${fault}`) };
}

function faultsOf(error: HoldfastError): readonly string[] {
  const { faults } = error.facts;
  return Array.isArray(faults) ? faults.map(String) : [error.message];
}
