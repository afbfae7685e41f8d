import { join } from 'node:path';
import { readFileIfPresent } from '../core/durable-files.js';
import { isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import { decodeManifest, type Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import { chunkCompressor } from './compression.js';
import { sealedFileName, type ObjectName } from './object-name.js';
import { ObjectWriter } from './object-writer.js';
import type { SealRequest } from './seal-segment.js';
import type { ObjectSurvey, SegmentSurvey } from './segment-survey.js';

/** One object of a segment while it is written. */
export interface OpenObject {
  readonly survey: ObjectSurvey;
  readonly fileName: string;
  /** Already sealed by an earlier attempt. */
  readonly existing: Manifest | undefined;
  readonly writer: ObjectWriter | undefined;
  readonly gaps: Gap[];
  firstSequence: number;
  lastSequence: number;
  lastLogTime: bigint | undefined;
  close(): Promise<void>;
  /** Closes, and removes the temporary file where it has not become the object. */
  discard(): Promise<void>;
}

/** Adds to `objects` as it goes, so that the caller can close them if a later one cannot be opened. */
export async function openObjects(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  survey: SegmentSurvey,
  objects: OpenObject[],
): Promise<void> {
  const compressChunk = await chunkCompressor(request.compression, request.level);
  for (const objectSurvey of survey.objects.values()) {
    const fileName = sealedFileName(id, objectSurvey.name);
    const existing =
      (await readManifest(fs, join(request.sealedFolder, manifestName(fileName)))) ??
      (await sealedBeforeDamage(fs, request, id, objectSurvey.name));
    const temporary = join(request.sealedFolder, `${fileName}.tmp`);
    const handle = existing ? undefined : await fs.open(temporary, 'w');
    const writer = handle && new ObjectWriter(handle, { ...request, compressChunk });
    let open = handle !== undefined;
    const close = async (): Promise<void> => {
      if (open) await handle?.close();
      open = false;
    };
    objects.push({
      survey: objectSurvey,
      fileName,
      existing,
      writer,
      gaps: [],
      firstSequence: 0,
      lastSequence: 0,
      lastLogTime: undefined,
      close,
      discard: async () => {
        await close();
        if (handle) await fs.rm(temporary, { force: true }).catch(() => undefined);
      },
    });
  }
}

/** Closes and removes what is not finished. */
export async function abandonObjects(objects: readonly OpenObject[]): Promise<undefined> {
  for (const object of objects) await object.discard().catch(() => undefined);
}

export function manifestName(fileName: string): string {
  return fileName.replace(/\.mcap$/, '.json');
}

/** The object this robot got before the segment was damaged: its messages must not be salvaged once more. */
async function sealedBeforeDamage(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  name: ObjectName,
): Promise<Manifest | undefined> {
  if (id === request.id) return undefined;
  return readManifest(fs, join(request.sealedFolder, manifestName(sealedFileName(request.id, name))));
}

async function readManifest(fs: FileSystem, path: string): Promise<Manifest | undefined> {
  const bytes = await readFileIfPresent(fs, path);
  if (!bytes) return undefined;
  try {
    return decodeManifest(bytes.toString('utf8'), path);
  } catch (error) {
    // Damaged after it was written; the segment is still here, so both are made again.
    if (isHoldfastError(error, 'MANIFEST_INVALID')) return undefined;
    throw error;
  }
}
