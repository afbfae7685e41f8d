import { crc32 } from 'node:zlib';
import { HoldfastError } from './errors.js';
import type { GapJson } from './gap.js';
import type { SegmentId } from './segment-id.js';

/** Everything Holdfast keeps in a lake beside the tables; engines pass over names that begin with `_`. */
export const LAKE_FOLDER = '_holdfast';

/** One table file of a lake. */
export interface LakeFile {
  readonly key: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly crc32: number;
  readonly rows: number;
  /** `events`: rows of event envelopes, which have an identity of their own. */
  readonly table: 'topics' | 'events';
}

/**
 * What was made of one sealed segment, put when all its files are there and verified: the commit marker. It says
 * nothing that depends on who made it or when.
 */
export interface LakeSegment {
  readonly format: 'holdfast-lake-segment';
  readonly version: 1;
  /** The sink's form: layout and selection in one word. */
  readonly form: string;
  readonly segment: { readonly id: SegmentId; readonly number: number };
  readonly robot: string;
  /** The sealed file. */
  readonly source: {
    readonly name: string;
    readonly key: string;
    readonly bytes: number;
    readonly sha256: string;
  };
  readonly rows: number;
  /** Rows that keep their payload because it could not be decoded. */
  readonly undecoded: number;
  readonly files: readonly LakeFile[];
  readonly gaps: readonly GapJson[];
  /** The segment was deleted by policy before anything was made of it. */
  readonly evicted?: { readonly at: string; readonly reason: string };
}

/** One step of a lake's history: numbered without holes, each put only where its number is free. */
export interface LakeChange {
  readonly format: 'holdfast-lake-change';
  readonly version: 1;
  readonly form: string;
  readonly number: number;
  /** Nanoseconds since the Unix epoch, decimal. */
  readonly at: string;
  /** Keys whose rows are in `adds` from now on. */
  readonly replaces: readonly string[];
  readonly adds: readonly LakeFile[];
  /** Rows left out because another row of the same identity is there. */
  readonly duplicates: number;
  /** Keys that nobody may add any more: left by a compaction that ended half-way. */
  readonly abandons: readonly string[];
}

export function segmentsPrefix(form: string): string {
  return `${LAKE_FOLDER}/${form}/segments/`;
}

export function lakeSegmentKey(form: string, sourceKey: string): string {
  return `${segmentsPrefix(form)}${sourceKey.replace(/\.mcap$/, '')}.json`;
}

export function changesPrefix(form: string): string {
  return `${LAKE_FOLDER}/${form}/changes/`;
}

export function lakeChangeKey(form: string, number: number): string {
  return `${changesPrefix(form)}${String(number).padStart(10, '0')}.json`;
}

/** The text of a manifest: its fields, and last the CRC-32 of their JSON without white space. */
export function encodeLake(manifest: LakeSegment | LakeChange): string {
  return `${JSON.stringify({ ...manifest, crc32: crc32(JSON.stringify(manifest)) }, null, 1)}\n`;
}

/** Throws `MANIFEST_INVALID`. */
export function decodeLakeSegment(text: string, name: string): LakeSegment {
  return decode(text, name, 'holdfast-lake-segment') as LakeSegment;
}

/** Throws `MANIFEST_INVALID`. */
export function decodeLakeChange(text: string, name: string): LakeChange {
  return decode(text, name, 'holdfast-lake-change') as LakeChange;
}

function decode(text: string, name: string, format: string): unknown {
  let json: { format?: unknown; version?: unknown; crc32?: unknown };
  try {
    json = (JSON.parse(text) ?? {}) as typeof json;
  } catch (cause) {
    throw invalid(name, 'is not JSON', cause);
  }
  const { crc32: said, ...manifest } = json;
  if (manifest.format !== format || manifest.version !== 1)
    throw invalid(name, `is no ${format} of version 1`);
  if (said !== crc32(JSON.stringify(manifest)))
    throw invalid(name, 'was changed or damaged: its CRC-32 differs');
  return manifest;
}

function invalid(name: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('MANIFEST_INVALID', `${name} ${what}`, { cause, facts: { name } });
}
