import { resolve } from 'node:path';
import { formatTime } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import { silentLogger } from '../../core/logger.js';
import type { Store } from '../../core/store.js';
import { systemPorts } from '../../host/ports.js';
import { version } from '../../host/version.js';
import { keyringOf } from '../../encryption/keyring.js';
import { FilePool } from '../../recordings/file-readable.js';
import { listRows } from '../../recordings/list-segments.js';
import { locate } from '../../recordings/locate.js';
import { robotsOfVins } from '../../recordings/robots-of-vins.js';
import { listSegments, type Problem } from '../../recordings/segments.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import { isStoreUri } from '../../core/store-uri.js';
import { storePorts } from '../../host/store-ports.js';
import { openStore } from '../../stores/open-store.js';
import type { ExportManifest } from './export-manifest.js';
import type { ExportFormat, ExportOptions } from './export-options.js';
import { FolderPlace } from './folder-place.js';
import { StorePlace } from './store-place.js';
import { parseExportOptions } from './parse-export-options.js';
import { runExport, type ExportProgress } from './run-export.js';

export type { ExportProgress } from './run-export.js';

/** Selection and form of an export: the options of `holdfast export`, with the same rules; see docs/export.md. */
export interface ExportSettings {
  /** Of the files. */
  readonly format: ExportFormat;
  /** Only these sessions of the recorder: ids, `*` stands for any text, or `latest`. Default: all. */
  readonly session?: readonly string[];
  /** Only these robots, by name or VIN; `*` stands for any text of a name. Default: all. */
  readonly robots?: readonly string[];
  /** Only these topics; `*` stands for any text. Default: all. */
  readonly topics?: readonly string[];
  /** Only messages of these types; `*` stands for any text. Default: all. */
  readonly types?: readonly string[];
  /**
   * Log time, inclusive: nanoseconds since the Unix epoch, or a text such as `2026-11-21T08:15:30Z`. Default: the
   * beginning.
   */
  readonly fromTime?: bigint | string;
  /** Log time, inclusive, in the form of `fromTime`. Default: the end. */
  readonly toTime?: bigint | string;
  /** `10`: every tenth message of a topic; `100ms`: at most one in that time. Default: all. */
  readonly every?: string;
  /** Paths of the files, such as `{robot}/{topic}`. Default: depends on the format. */
  readonly layout?: string;
  /** Nested fields as columns with dotted names. Default false. */
  readonly flatten?: boolean;
  /** CSV: one row per element of this list. Default: one row per message. */
  readonly explode?: string;
  /** CSV: `vehicle` for the files of `holdfast/logger`. Default: none. */
  readonly preset?: 'vehicle';
  /** Write images as separate files. Default: bytes in a table. */
  readonly images?: 'files';
  /** Keep messages that cannot be decoded, in a column `payload`. Default false: leave them out. */
  readonly raw?: boolean;
  /** One table per robot with this many rows per second of log time. Default: one table per topic. */
  readonly align?: number;
  /** With `align`: older values are missing, such as `500ms`. Default: any age. */
  readonly alignMaxAge?: string;
  /** Robot of recordings that do not name one. Default: the first part of each topic. */
  readonly robotName?: string;
  /** Compression of MCAP chunks (`zstd`, `lz4`, `none`) or Parquet pages (`zstd`, `snappy`, `none`). Default `zstd`. */
  readonly compression?: 'zstd' | 'lz4' | 'snappy' | 'none';
  /** Parquet: maximum rows of a row group. Default 122,880; 8 MiB of payloads also end one. */
  readonly rowGroup?: number;
  /** Encoding threads. Default: one less than cores, 1 to 4. */
  readonly workers?: number;
  /** For a data folder: URI of the store for segments that are no longer on the disk. Default: none. */
  readonly store?: string;
  /** Texts of key files of `holdfast keygen`, for encrypted segments. Default: none. */
  readonly identities?: readonly string[];
  /** Options of S3 stores, as in their URI's query: `endpoint`, `region`, ... Default: none. */
  readonly s3?: Readonly<Record<string, string>>;
  /** Ends the export; the same call later continues it. Default: none. */
  readonly signal?: AbortSignal;
  /** Called now and then while it runs. */
  readonly onProgress?: (progress: ExportProgress) => void;
  /** Called at once for parts that cannot be read; the rest continues. */
  readonly onProblem?: (problem: Problem) => void;
}

/** How an export ended. */
export interface ExportResult {
  /** Nothing was left out, and everything could be read. */
  readonly ok: boolean;
  /** `manifest.json` of the export. */
  readonly manifest: ExportManifest;
  /** True if an earlier call had already done all of it. */
  readonly alreadyDone: boolean;
  /** Parts that could not be read, at most 1,000. */
  readonly problems: readonly Problem[];
  /** Content that the format cannot hold, such as attachments. */
  readonly notes: readonly Problem[];
}

/**
 * Exports a recording (a data folder, a store, an MCAP file or a folder of them) into an empty folder or a
 * store (a `dir:`, `s3:`, `azure:` or `sftp:` URI), within bounded memory. If a call was ended, or killed with its process, the
 * same call continues it.
 *
 * Throws a HoldfastError: `CONFIG_INVALID` with all faults of the settings, `SOURCE_UNREADABLE` if there is
 * nothing to read, `OUTPUT_UNUSABLE` if `to` has other content, and the `STORE_` codes.
 *
 * @example
 * const { ok, manifest } = await exportRecording('rec', 'drive', { format: 'parquet', topics: ['/imu'] });
 * console.log(ok, manifest.num_records, manifest.files.length);
 */
export async function exportRecording(
  from: string,
  to: string,
  settings: ExportSettings,
): Promise<ExportResult> {
  const options = compiled(settings);
  const opened: AsyncDisposable[] = [];
  const keep = <T extends AsyncDisposable>(one: T): T => {
    opened.push(one);
    return one;
  };
  try {
    return await exportWith(from, to, settings, options, keep);
  } finally {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
  }
}

/** @param keep closes everything that was opened, at the end */
async function exportWith(
  from: string,
  to: string,
  {
    store: storeUri,
    s3 = {},
    identities,
    onProgress,
    onProblem,
    signal = new AbortController().signal,
  }: ExportSettings,
  options: ExportOptions,
  keep: <T extends AsyncDisposable>(one: T) => T,
): Promise<ExportResult> {
  const { fs, clock, random, logger } = systemPorts(silentLogger);
  const open = async (uri: string): Promise<Store> =>
    keep(await openStore(uri, uri.startsWith('s3:') ? s3 : {}, storePorts({ fs, clock, random })));
  const files = keep(new FilePool(fs));
  const located = await locate(from, { fs, logger, openStore: open });
  const store = located.kind === 'data' && storeUri !== undefined ? await open(storeUri) : undefined;
  const listingProblems: Problem[] = [];
  const listed = (problem: Problem): void => {
    listingProblems.push(problem);
    onProblem?.(problem);
  };
  const keyring = keyringOf(identities);
  const chosen = await robotsOfVins(options.filter.robots, async function* () {
    const quiet = { files, onProblem: () => undefined, signal };
    yield* listRows(located, quiet);
    if (store) yield* listRows({ kind: 'store', store }, quiet);
  });
  const filter = { ...options.filter, ...chosen };
  const ports = { files, filter, signal, keyring, onProblem: listed, ...defined({ store }) };
  const segments = await listSegments(located, ports);
  const isStore = isStoreUri(to);
  const place = keep(isStore ? new StorePlace(await open(to), fs, signal) : new FolderPlace(resolve(to), fs));
  return await runExport({
    ...{ from, segments, listingProblems, place, clock, random, version, signal },
    ...{ options: { ...options, filter }, ...defined({ onProgress, onProblem }) },
  });
}

function compiled(settings: ExportSettings): ExportOptions {
  const {
    fromTime,
    toTime,
    store: _store,
    s3: _s3,
    signal: _signal,
    identities: _identities,
    ...rest
  } = settings;
  const { onProgress: _progress, onProblem: _problem, ...given } = rest;
  const time = (value: bigint | string | undefined): string | undefined =>
    typeof value === 'bigint' ? formatTime(value) : value;
  const faults: ConfigFault[] = [];
  const times = defined({ fromTime: time(fromTime), toTime: time(toTime) });
  const options = parseExportOptions({ ...given, ...times }, faults);
  if (options === undefined) throw configInvalid(faults);
  return options;
}
