import { LAKE_FOLDER } from '../../core/lake-manifest.js';
import { HoldfastError } from '../../core/errors.js';
import { decodeManifest, isSegmentKey, manifestKey, type Manifest } from '../../core/manifest.js';
import { decodePlacedManifest, keyFaults } from '../../core/manifest-place.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import { present } from '../../core/present.js';
import { readSmallObject } from '../store-readable.js';

/** Maximum size of a manifest: 5,000 topics need about 2 MB. */
export const MANIFEST_MAX_BYTES = 64 * 1024 * 1024;

/** An MCAP and its manifest under one key; either may be missing. */
export interface StoreEntry {
  readonly object?: ObjectInfo;
  readonly manifest?: ObjectInfo;
  /** Another object. */
  readonly other?: ObjectInfo;
}

/** The content of a store below a prefix, paired, in key order. `.json` sorts before `.mcap` of the same name. */
export async function* storeEntries(
  store: Store,
  signal?: AbortSignal,
  prefix = '',
): AsyncGenerator<StoreEntry, void, void> {
  let manifest: ObjectInfo | undefined;
  for await (const info of store.list(prefix, signal === undefined ? {} : { signal })) {
    // A lake beside the segments describes its tables in manifests of its own.
    if (info.key.startsWith(`${LAKE_FOLDER}/`)) continue;
    if (isSegmentKey(info.key)) {
      const paired = manifest?.key === manifestKey(info.key);
      if (manifest !== undefined && !paired) yield { manifest };
      yield paired ? { object: info, manifest: present(manifest) } : { object: info };
      manifest = undefined;
      continue;
    }
    if (manifest !== undefined) yield { manifest };
    manifest = undefined;
    if (info.key.endsWith('.json')) manifest = info;
    else yield { other: info };
  }
  if (manifest !== undefined) yield { manifest };
}

/** Throws `MANIFEST_INVALID`, also if it belongs to another place, and the errors of the store. */
export async function readManifestObject(
  store: Store,
  info: ObjectInfo,
  signal?: AbortSignal,
): Promise<Manifest> {
  const text = await readManifestText(store, info, signal);
  return decodePlacedManifest(text, info.key, (manifest) => keyFaults(info.key, manifest));
}

/** The same, without a check of its place, for callers that check it themselves. */
export async function readAnyManifestObject(
  store: Store,
  info: ObjectInfo,
  signal?: AbortSignal,
): Promise<Manifest> {
  return decodeManifest(await readManifestText(store, info, signal), info.key);
}

async function readManifestText(
  store: Store,
  info: ObjectInfo,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (info.bytes > MANIFEST_MAX_BYTES) {
    const size = `${info.bytes} bytes, allowed: ${MANIFEST_MAX_BYTES}`;
    throw new HoldfastError('MANIFEST_INVALID', `manifest ${info.key} has ${size}`, {
      facts: { key: info.key },
    });
  }
  const bytes = await readSmallObject(store, info.key, info.bytes, signal);
  return Buffer.from(bytes).toString('utf8');
}
