import { crc32 } from 'node:zlib';
import { documentKind } from './documents/document.js';
import { lakeChangeSchema, lakeSegmentSchema } from './documents/lake-schemas.js';
import { HoldfastError } from './errors.js';
import type { GapJson } from './gap.js';
import type { SegmentId } from './segment-id.js';

/** Holds everything that Holdfast keeps in a lake beside the tables; engines skip names that begin with `_`. */
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

/** Digest of the table's columns in one segment. A different digest means that the columns changed. */
export interface LakeSchema {
  readonly table: LakeFile['table'];
  /** The topic, or the type of the events whose payloads were decoded. */
  readonly name: string;
  readonly columns: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** The descriptor files with which payloads of this type were decoded. */
  readonly descriptors?: readonly { readonly file: string; readonly sha256: string }[];
}

/**
 * The files made of one sealed segment. Sync writes it once all of them are in the store and verified: it is
 * the commit marker. Its content does not depend on who made the files or when.
 */
export interface LakeSegment {
  readonly format: 'holdfast-lake-segment';
  readonly version: 1;
  /** The sink's form: layout and selection in one word. */
  readonly form: string;
  readonly segment: { readonly id: SegmentId; readonly number: number };
  readonly robot: string;
  /** VIN of the vehicle, by the manifest of the segment; absent: none, or written by an earlier version. */
  readonly vin?: string;
  /** The sealed file. */
  readonly source: {
    readonly name: string;
    readonly key: string;
    readonly bytes: number;
    /** Absent: the segment was evicted before anybody read it. */
    readonly sha256?: string;
  };
  readonly rows: number;
  /**
   * Rows that keep their payload because it could not be decoded, and messages with times that no table can
   * hold.
   */
  readonly undecoded: number;
  readonly files: readonly LakeFile[];
  readonly gaps: readonly GapJson[];
  /** The columns of each table, as a digest of their paths and types; absent in earlier versions. */
  readonly schemas?: readonly LakeSchema[];
  /**
   * Id of the segment under whose marker its rows are: it is what a deletion left of that one. Absent: under its own.
   */
  readonly rowsOf?: SegmentId;
  /** The segment was deleted by policy before any file was made of it. */
  readonly evicted?: { readonly at: string; readonly reason: string };
}

/**
 * One step of a lake's history. Steps are numbered without holes, and each is written only if its number is
 * free.
 */
export interface LakeChange {
  readonly format: 'holdfast-lake-change';
  readonly version: 1;
  readonly form: string;
  readonly number: number;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly at: string;
  /** Keys whose rows are in `adds` from this step on. */
  readonly replaces: readonly string[];
  readonly adds: readonly LakeFile[];
  /** Rows left out because another row has the same identity. */
  readonly duplicates: number;
  /** Keys that must not be added any more: a compaction that ended half-way left them. */
  readonly abandons: readonly string[];
  /** Rows of `replaces` that were deleted on request, and the plan of the deletion; absent: a compaction. */
  readonly removed?: { readonly rows: number; readonly plan: string };
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

interface WithCrc {
  readonly crc32: number;
}

const segments = documentKind<LakeSegment & WithCrc>('marker', lakeSegmentSchema);
const changes = documentKind<LakeChange & WithCrc>('change', lakeChangeSchema);

/** Throws `MANIFEST_INVALID`. */
export function decodeLakeSegment(text: string, name: string): LakeSegment {
  return checked(segments.parse(text, name), name);
}

/** Throws `MANIFEST_INVALID`. */
export function decodeLakeChange(text: string, name: string): LakeChange {
  return checked(changes.parse(text, name), name);
}

function checked<T extends WithCrc>({ crc32: said, ...manifest }: T, name: string): Omit<T, 'crc32'> {
  if (said === crc32(JSON.stringify(manifest))) return manifest;
  throw new HoldfastError('MANIFEST_INVALID', `${name} was changed or damaged: its CRC-32 differs`, {
    facts: { name },
  });
}
