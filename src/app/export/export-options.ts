import type { TableFormat } from '../../exporters/format.js';
import type { MessageFilter } from '../reading/message-filter.js';
import type { PathTemplate } from './path-template.js';

export type ExportFormat = TableFormat | 'mcap';

/** Thins a topic out: every n-th message, or at most one per interval. */
export type Every = { readonly count: number } | { readonly intervalNs: bigint };

export interface ExportOptions {
  readonly format: ExportFormat;
  readonly filter: MessageFilter;
  readonly layout: PathTemplate;
  /** Nested fields as dotted columns. CSV, TFRecord and NumPy are always flat. */
  readonly flatten: boolean;
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
  /** Robot of recordings that do not say theirs; default: the first part of each topic. */
  readonly robotName?: string;
  /** Images as files of their own instead of bytes in a table. */
  readonly images?: 'files';
  /** Compression of MCAP chunks. */
  readonly compression: 'zstd' | 'lz4' | 'none';
  /** Encoding threads. */
  readonly workers: number;
}

/** Where batches end. */
export const limits = {
  /** Rows of a Parquet row group. */
  batchRows: 122_880,
  /** Payload bytes of a batch. */
  batchBytes: 8 * 1024 * 1024,
  /** Payload bytes that all tables together collect before the largest is written. */
  collectedBytes: 24 * 1024 * 1024,
} as const;

/** What of the options decides the output: an export is only ever continued with the same. */
export function outputFingerprint(from: string, options: ExportOptions): Record<string, unknown> {
  const { workers: _workers, layout, filter, every, alignMaxAgeNs, ...rest } = options;
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
