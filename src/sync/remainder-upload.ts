import { HoldfastError, isHoldfastError } from '../core/errors.js';
import {
  decodeManifest,
  isDigested,
  manifestKey,
  type DigestedManifest,
  type Manifest,
} from '../core/manifest.js';
import type { SegmentDeriver } from '../core/segment-deriver.js';
import type { PublishedManifest } from './digest-segment.js';
import { readObject, type PutManifestPorts } from './put-manifest.js';

/**
 * What a deletion left of a segment is not sent like others: the store may have all of the segment still, and it may have
 * the same rest, made by the same deletion there. Returns the rest as the store has it, which counts as sent; undefined:
 * send it. Throws `SEGMENT_DELETED` if the store has all of the segment: its messages would be there twice.
 */
export async function judgeRemainder(
  ports: PutManifestPorts,
  manifest: DigestedManifest,
  deriver: SegmentDeriver | undefined,
  signal: AbortSignal,
): Promise<PublishedManifest | undefined> {
  const source = sourceOf(manifest);
  if (source === undefined) return undefined;
  const own = await readObject(ports, markerKey(manifest, deriver), signal);
  if (own !== undefined) return deriver ? undefined : publishedRest(ports, own, manifest, signal);
  const whole = await readObject(ports, markerKey(source, deriver), signal);
  if (whole === undefined || !isWhole(whole, source, deriver)) return undefined;
  const { key } = source;
  throw new HoldfastError(
    'SEGMENT_DELETED',
    `a part of ${key} was deleted here, and the store has all of it; delete it there too, and restart sync`,
    { facts: { key } },
  );
}

/** The segment that the rest is of; undefined: no deletion has made it. */
function sourceOf(manifest: DigestedManifest): DigestedManifest | undefined {
  const { derived, segment, key, file } = manifest;
  if (derived?.source.segment === undefined) return undefined;
  const { segment: id, bytes, sha256, crc32 } = derived.source;
  const named = (name: string): string => name.replace(segment.id, id);
  return {
    ...manifest,
    segment: { ...segment, id },
    key: named(key),
    file: { ...file, name: named(file.name), bytes, sha256, crc32 },
  };
}

function markerKey(manifest: Manifest, deriver: SegmentDeriver | undefined): string {
  return deriver ? deriver.markerKey(manifest) : manifestKey(manifest.key);
}

function isWhole(marker: Buffer, source: Manifest, deriver: SegmentDeriver | undefined): boolean {
  if (deriver) return deriver.judge(marker, source) === 'complete' && deriver.files(marker).length > 0;
  const found = parsed(marker, source);
  return found !== undefined && found.evicted === undefined;
}

/** Encrypted by another process, it has other bytes and the same content: the id follows from source and request. */
async function publishedRest(
  { store, calls }: PutManifestPorts,
  manifestBytes: Buffer,
  local: DigestedManifest,
  signal: AbortSignal,
): Promise<PublishedManifest | undefined> {
  const manifest = parsed(manifestBytes, local);
  if (!manifest || manifest.evicted || !isDigested(manifest)) return undefined;
  try {
    await calls.call(`verify ${manifest.key}`, manifest.file.bytes, signal, (within) =>
      store.verify(manifest.key, manifest.file, { signal: within }),
    );
    return { manifest, manifestBytes };
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING') || isHoldfastError(error, 'OBJECT_CORRUPT'))
      return undefined;
    throw error;
  }
}

/** A manifest of this segment and robot; undefined: it is something else. */
function parsed(bytes: Buffer, { segment, robot }: Manifest): Manifest | undefined {
  try {
    const manifest = decodeManifest(bytes.toString('utf8'), 'a manifest in the store');
    return manifest.segment.id === segment.id && manifest.robot === robot ? manifest : undefined;
  } catch (error) {
    if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
    return undefined;
  }
}
