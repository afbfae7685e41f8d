import { createHash } from 'node:crypto';
import { defined } from '../../core/defined.js';
import { isHoldfastError } from '../../core/errors.js';
import {
  decodeLakeSegment,
  encodeLake,
  type LakeFile,
  type LakeSchema,
  type LakeSegment,
} from '../../core/lake-manifest.js';
import type { Manifest } from '../../core/manifest.js';
import type { ListedObject, MarkerVerdict } from '../../core/segment-deriver.js';
import type { TableSchema } from '../../core/table-schema.js';
import type { Descriptor } from '../../exporters/payloads/payload-catalogue.js';

/*
 * The marker of a segment in a lake: written last, it says that all files of the segment are there, and which.
 */

/** Columns of the files of one table, and the descriptors that they come from. */
export interface MadeSchema {
  readonly schema: TableSchema;
  readonly descriptors?: readonly Descriptor[];
}

/** What the marker under `key` says about the files of this segment. */
export function judgeMarker(marker: Buffer, key: string, manifest: Manifest): MarkerVerdict {
  let found: LakeSegment;
  try {
    found = decodeLakeSegment(marker.toString('utf8'), key);
  } catch (error) {
    if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
    return 'torn';
  }
  const isSame =
    found.segment.id === manifest.segment.id &&
    found.robot === manifest.robot &&
    isSameSum(found.source.sha256, manifest.file.sha256);
  if (!isSame) return 'other';
  return found.evicted ? 'evicted' : 'complete';
}

/** A segment that was evicted before anybody read it has no SHA-256. Its id and robot distinguish it. */
function isSameSum(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** The files that a marker lists. Throws `MANIFEST_INVALID`. */
export function filesOfMarker(marker: Buffer): readonly ListedObject[] {
  const { files } = decodeLakeSegment(marker.toString('utf8'), 'the marker of a lake');
  return files.map(listedObject);
}

/** The text of the marker of a segment whose files are complete. */
export function completeMarker(
  form: string,
  manifest: Manifest,
  files: readonly LakeFile[],
  undecoded: number,
  tables: readonly MadeSchema[],
): string {
  const schemas = tables.map(({ schema, descriptors }) => lakeSchema(schema, descriptors));
  return encodeLake({ ...describe(form, manifest, files, undecoded), schemas });
}

/** The text of the marker of a segment that was evicted before its files were made. */
export function tombstoneMarker(form: string, manifest: Manifest): string {
  const { evicted } = manifest;
  return encodeLake({ ...describe(form, manifest, [], 0), ...(evicted && { evicted }) });
}

export function listedObject({ key, bytes, sha256, crc32: crc }: LakeFile): ListedObject {
  return { key, bytes, sha256, crc32: crc };
}

function describe(
  form: string,
  manifest: Manifest,
  files: readonly LakeFile[],
  undecoded: number,
): LakeSegment {
  const { segment, robot, vin, file, key, gaps } = manifest;
  return {
    format: 'holdfast-lake-segment',
    version: 1,
    form,
    segment: { id: segment.id, number: segment.number },
    robot,
    ...defined({ vin }),
    source: { name: file.name, key, bytes: file.bytes, ...defined({ sha256: file.sha256 }) },
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    undecoded,
    files,
    gaps,
  };
}

function lakeSchema({ table, name, columns }: TableSchema, descriptors?: readonly Descriptor[]): LakeSchema {
  const digest = createHash('sha256').update(JSON.stringify(columns)).digest('hex');
  const files = descriptors
    ?.map(({ file, sha256 }) => ({ file, sha256 }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
  return { table, name, columns: columns.length, sha256: digest, ...defined({ descriptors: files }) };
}
