import { join } from 'node:path';
import { readStateIfReadable } from '../core/durable-files.js';
import { defined } from '../core/defined.js';
import { isHoldfastError, systemCode } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { BoundedGaps } from '../core/bounded-gaps.js';
import type { EncryptionFacts } from '../core/encryption-facts.js';
import { decodeManifest, encryptedKey, type Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import { chunkCompressor } from './compression.js';
import { ownId, sealedFileName, type ObjectName } from '../core/object-name.js';
import { objectKeyOf } from './object-router.js';
import { objectKeys } from './object-keys.js';
import { ObjectWriter, type ObjectContent } from './object-writer.js';
import type { PlacedObject } from './placed-objects.js';
import { severalGapsId } from './seal-gaps.js';
import type { SealRequest } from './seal-request.js';
import type { ObjectSurvey } from './segment-survey.js';

/** One object of a segment while it is written. */
export interface OpenObject {
  readonly survey: ObjectSurvey;
  readonly fileName: string;
  /** An earlier attempt already sealed it. */
  readonly existing: Manifest | undefined;
  readonly writer: ObjectWriter | undefined;
  readonly gaps: BoundedGaps;
  firstSequence: number;
  lastSequence: number;
  lastLogTime: bigint | undefined;
  close(): Promise<void>;
  /** What the manifest says about its encryption; undefined: it is not encrypted. */
  describeKeys(content: ObjectContent): EncryptionFacts | undefined;
  /** Gives the finished, closed file its name in `sealed/`. That is not durable yet. */
  publish(): Promise<void>;
  /** Closes the file. If it was not published, removes it, or cuts an object file to its chunks. */
  discard(): Promise<void>;
}

/** Adds to `objects` step by step, so that the caller can close them if a later one cannot be opened. */
export async function openObjects(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  surveys: readonly ObjectSurvey[],
  placed: ReadonlyMap<string, PlacedObject>,
  objects: OpenObject[],
): Promise<void> {
  const compressChunk = await chunkCompressor(request.compression, request.level);
  for (const objectSurvey of surveys) {
    const fileName = sealedFileName(ownId(id, objectSurvey.name), objectSurvey.name);
    const existing =
      (await readManifest(fs, join(request.sealedFolder, manifestName(fileName)))) ??
      (await sealedBeforeDamage(fs, request, id, objectSurvey.name));
    const begun = existing ? undefined : placed.get(objectKeyOf(objectSurvey.name));
    const keys = objectKeys(request.recipients);
    const target = join(request.sealedFolder, keys ? encryptedKey(fileName) : fileName);
    const file = existing ? undefined : await openFile(fs, target, begun);
    const beside = { fs, path: `${target}.tmp` };
    const writer =
      file &&
      (await writerOf(file.handle, {
        ...{ ...request, compressChunk, beside },
        ...defined({ placed: begun, contentKey: keys?.contentKey }),
      }));
    let open = file !== undefined;
    const close = async (): Promise<void> => {
      if (open) await file?.handle.close();
      open = false;
    };
    objects.push({
      survey: objectSurvey,
      fileName,
      existing,
      writer,
      gaps: new BoundedGaps({ idOf: (reason, robot) => severalGapsId(request.id, reason, robot) }),
      firstSequence: 0,
      lastSequence: 0,
      lastLogTime: undefined,
      close,
      describeKeys: ({ mcapBytes }) => keys?.describe(mcapBytes),
      publish: async () => file?.publish(),
      discard: async () => {
        await close();
        await writer?.discard();
        await file?.discard().catch(() => undefined);
      },
    });
  }
}

/** The file that an object is written into. */
interface TargetFile {
  readonly handle: FileHandle;
  publish(): Promise<void>;
  discard(): Promise<void>;
}

async function openFile(
  fs: FileSystem,
  target: string,
  begun: PlacedObject | undefined,
): Promise<TargetFile> {
  if (begun) return openPlaced(fs, target, begun);
  const temporary = `${target}.tmp`;
  return {
    handle: await fs.open(temporary, 'w'),
    publish: () => fs.rename(temporary, target),
    discard: () => fs.rm(temporary, { force: true }),
  };
}

/**
 * Finishes an object file in its place and then links it into `sealed/`. The segment keeps its own name for
 * the file until it is removed, so that a crash at any moment leaves a whole segment.
 */
async function openPlaced(
  fs: FileSystem,
  target: string,
  { path, bytes }: PlacedObject,
): Promise<TargetFile> {
  // An object without a manifest is a leftover, and may be the same file. An object must never change.
  await fs.rm(target, { force: true });
  // An earlier attempt or a torn commit may have left bytes after the last chunk.
  await fs.truncate(path, bytes);
  let isPublished = false;
  return {
    handle: await fs.open(path, 'a'),
    publish: async () => {
      try {
        await fs.link(path, target);
      } catch (cause) {
        if (NO_LINKS.has(systemCode(cause) ?? '')) throw new NoLinksError(cause);
        throw cause;
      }
      isPublished = true;
    },
    discard: async () => {
      if (!isPublished) await fs.truncate(path, bytes);
    },
  };
}

/** Codes of file systems without hard links, and of folders on two of them. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EXDEV',
  'EMLINK',
]);

/** The file system cannot give an object file a second name, so the object must be copied. */
export class NoLinksError extends Error {
  override readonly name = 'NoLinksError';

  constructor(cause: unknown) {
    super('the file system has no hard links', { cause });
  }
}

/** Until the object is in the list, nothing owns the handle: it must be closed on a failure. */
async function writerOf(
  handle: FileHandle,
  options: ConstructorParameters<typeof ObjectWriter>[1],
): Promise<ObjectWriter> {
  try {
    return new ObjectWriter(handle, options);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Closes and removes unfinished objects. */
export async function abandonObjects(objects: readonly OpenObject[]): Promise<undefined> {
  for (const object of objects) await object.discard().catch(() => undefined);
}

export function manifestName(fileName: string): string {
  return fileName.replace(/\.mcap$/, '.json');
}

/**
 * The object that was sealed for this robot before the segment was damaged: its messages must not be salvaged
 * again.
 */
async function sealedBeforeDamage(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  name: ObjectName,
): Promise<Manifest | undefined> {
  if (id === request.id) return undefined;
  return readManifest(
    fs,
    join(request.sealedFolder, manifestName(sealedFileName(ownId(request.id, name), name))),
  );
}

async function readManifest(fs: FileSystem, path: string): Promise<Manifest | undefined> {
  const bytes = await readStateIfReadable(fs, path);
  if (!bytes) return undefined;
  try {
    return decodeManifest(bytes.toString('utf8'), path);
  } catch (error) {
    // Damaged after it was written. The segment still exists, so both files are made again.
    if (isHoldfastError(error, 'MANIFEST_INVALID')) return undefined;
    throw error;
  }
}
