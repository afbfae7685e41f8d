import type { EventPayloads } from '../../exporters/columns/event-columns.js';
import type { TableFormat } from '../../exporters/format.js';
import type { MessageFilter } from '../../recordings/message-filter.js';
import type { PathTemplate } from '../../settings/path-template.js';

/** A format of `holdfast export`. */
export type ExportFormat = TableFormat | 'mcap';

/** Thins a topic: every n-th message, or at most one per interval. */
export type Every = { readonly count: number } | { readonly intervalNs: bigint };

export interface ExportOptions {
  readonly format: ExportFormat;
  readonly filter: MessageFilter;
  /** Only these sessions of the recorder: ids, `*` stands for any text, or `latest`. */
  readonly sessions?: readonly string[];
  readonly layout: PathTemplate;
  /** Nested fields as dotted columns. CSV, TFRecord and NumPy are always flat. */
  readonly flatten: boolean;
  /** CSV: texts that a spreadsheet would run as a formula get an apostrophe before them. */
  readonly guardFormulas?: boolean;
  /** Keep undecodable messages in a column `payload`. */
  readonly raw: boolean;
  readonly every?: Every;
  /** CSV: one row per element of this list. */
  readonly explode?: string;
  /** `vehicle`: the files of `holdfast/logger`. */
  readonly preset?: 'vehicle';
  /** One wide table per robot, this many rows per second of log time. */
  readonly alignHz?: number;
  /** Aligned values older than this are missing. */
  readonly alignMaxAgeNs?: bigint;
  /** Robot of recordings that do not name one; default: the first part of each topic. */
  readonly robotName?: string;
  /** Write images as separate files instead of bytes in a table. */
  readonly images?: 'files';
  /** Compression of MCAP chunks, or of Parquet pages. */
  readonly compression: 'zstd' | 'lz4' | 'snappy' | 'none';
  /** Parquet: maximum rows of a row group. */
  readonly rowGroupRows?: number;
  /** Digest of the descriptors that `payloads` comes from. */
  readonly descriptors?: string;
  /** Columns for the payloads of events. */
  readonly payloads?: EventPayloads;
  /** Encoding threads. */
  readonly workers: number;
}

/** Where batches end. */
export const limits = {
  /** Default rows of a Parquet row group. */
  batchRows: 122_880,
  /** Payload bytes of a batch. */
  batchBytes: 8 * 1024 * 1024,
  /** Maximum payload bytes that all tables together collect before the largest is written. */
  collectedBytes: 24 * 1024 * 1024,
} as const;

/** The options that decide the output: an export is only continued with the same. */
export function outputFingerprint(from: string, options: ExportOptions): Record<string, unknown> {
  const { workers: _workers, payloads: _payloads, layout, filter, every, alignMaxAgeNs, ...rest } = options;
  const { from: fromTime, to: toTime, ...names } = filter;
  return {
    source: from,
    ...rest,
    ...names,
    layout: layout.text,
    ...(fromTime === undefined ? {} : { fromTime: String(fromTime) }),
    ...(toTime === undefined ? {} : { toTime: String(toTime) }),
    ...(every === undefined ? {} : { every: 'count' in every ? every.count : `${every.intervalNs} ns` }),
    ...(alignMaxAgeNs === undefined ? {} : { alignMaxAge: `${alignMaxAgeNs} ns` }),
  };
}
