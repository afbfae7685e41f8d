import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { silentLogger } from '../../../src/core/logger.js';
import type { Problem, Segment } from '../../../src/recordings/segments.js';
import type { ConfigFault } from '../../../src/settings/fault.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { locate } from '../../../src/recordings/locate.js';
import { listSegments } from '../../../src/recordings/segments.js';
import { mergeMessages } from '../../../src/recordings/merged-messages.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { FolderPlace } from '../../../src/jobs/export/folder-place.js';
import type { OutputPlace } from '../../../src/jobs/export/output-place.js';
import { parseExportOptions } from '../../../src/jobs/export/parse-export-options.js';
import { runExport, type ExportReport } from '../../../src/jobs/export/run-export.js';
import { version } from '../../../src/host/version.js';
import { systemClock } from '../../../src/host/system-clock.js';

/** Segments of a recording on this disk. */
export async function segmentsOf(files: FilePool, from: string): Promise<Segment[]> {
  const openStore = (): Promise<never> => Promise.reject(new Error('no stores here'));
  const located = await locate(from, { fs, logger: silentLogger, openStore });
  return listSegments(located, { files, onProblem: () => {} });
}

export interface TestExport {
  readonly signal?: AbortSignal;
  readonly place?: OutputPlace;
  readonly onProgress?: (done: number) => void;
}

/** Exports a recording as the command line would. */
export async function exportTo(
  from: string,
  to: string,
  given: Record<string, unknown>,
  { signal = new AbortController().signal, place, onProgress }: TestExport = {},
): Promise<ExportReport> {
  const faults: ConfigFault[] = [];
  const options = parseExportOptions({ workers: 1, ...given }, faults);
  if (options === undefined) throw new Error(JSON.stringify(faults));
  await using files = new FilePool(fs);
  await using where = place ?? new FolderPlace(to, fs);
  return await runExport({
    from,
    segments: await segmentsOf(files, from),
    options,
    place: where,
    clock: systemClock,
    random: randomBytes,
    version,
    signal,
    onProgress: ({ phase, done }) => phase === 'exporting' && onProgress?.(done),
  });
}

/** One message of a recording, decoded by another library. */
export interface Original {
  readonly topic: string;
  readonly type: string;
  readonly logTime: bigint;
  readonly publishTime: bigint;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly value: Record<string, unknown>;
}

/** Every message of a recording in log-time order, latched ones once. */
export async function originals(from: string): Promise<Original[]> {
  await using files = new FilePool(fs);
  const problems: Problem[] = [];
  const decoder = new MessageDecoder();
  const all: Original[] = [];
  const merged = mergeMessages(await segmentsOf(files, from), {
    filter: {},
    onProblem: (problem) => problems.push(problem),
  });
  for await (const { message } of merged) {
    const { channel, logTime, publishTime, sequence, data } = message;
    const decoded = decoder.decode(channel, data);
    all.push({
      topic: channel.topic,
      type: channel.schema.name,
      logTime,
      publishTime,
      sequence,
      data: Uint8Array.from(data),
      value: decoded.ok ? (decoded.value as Record<string, unknown>) : {},
    });
  }
  return all;
}

const NS = 1_000_000_000n;

/** Decoded values in one common form: times as nanoseconds (bigint), integers as bigint or number alike, arrays plain, bytes as hex. */
export function common(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : Object.is(value, -0) ? 0 : value;
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString('hex')}`;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>, common);
  if (Array.isArray(value)) return value.map(common);
  if (typeof value !== 'object' || value === null) return value;
  // As DuckDB gives timestamps, bytes, lists and structs.
  if ('nanoseconds' in value) return common(value.nanoseconds);
  if ('nanos' in value) return common(value.nanos);
  if ('micros' in value) return common((value.micros as bigint) * 1000n);
  if ('bytes' in value) return common(value.bytes);
  if ('items' in value) return common(value.items);
  if ('entries' in value && Object.keys(value).length === 1) return common(value.entries);
  const keys = Object.keys(value);
  if (keys.length === 2 && 'sec' in value && 'nanosec' in value) {
    return common(BigInt(value.sec as number) * NS + BigInt(value.nanosec as number));
  }
  return Object.fromEntries(keys.map((key) => [key, common((value as Record<string, unknown>)[key])]));
}

/** A decoded message flat: dotted names, fixed arrays as the exporter expands them when `expand` says so. */
export function flat(
  value: unknown,
  expand: (path: string) => boolean = () => false,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const visit = (one: unknown, path: string): void => {
    if (typeof one === 'object' && one !== null && !Array.isArray(one)) {
      for (const [name, inner] of Object.entries(one)) visit(inner, path === '' ? name : `${path}.${name}`);
    } else if (Array.isArray(one) && expand(path)) {
      one.forEach((inner, i) => visit(inner, `${path}.${i}`));
    } else {
      out[path] = one;
    }
  };
  visit(common(value), '');
  return out;
}
