import { LAKE_FOLDER } from '../../core/lake-manifest.js';
import { HoldfastError } from '../../core/errors.js';
import { decodeManifest, type Manifest } from '../../core/manifest.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import { readSmallObject } from './store-readable.js';

/** Largest manifest that is read: 5,000 topics need some 2 MB. */
export const MANIFEST_MAX_BYTES = 64 * 1024 * 1024;

/** An MCAP and its manifest under one key; either may be missing. */
export interface StoreEntry {
  readonly object?: ObjectInfo;
  readonly manifest?: ObjectInfo;
  /** Something else that lies there. */
  readonly other?: ObjectInfo;
}

/** What a store holds below a prefix, paired, in key order. `.json` sorts before `.mcap` of the same name. */
export async function* storeEntries(
  store: Store,
  signal?: AbortSignal,
  prefix = '',
): AsyncGenerator<StoreEntry, void, void> {
  let manifest: ObjectInfo | undefined;
  for await (const info of store.list(prefix, signal === undefined ? {} : { signal })) {
    // A lake beside the segments describes its tables in manifests of its own.
    if (info.key.startsWith(`${LAKE_FOLDER}/`)) continue;
    if (info.key.endsWith('.mcap')) {
      const paired = manifest?.key === info.key.replace(/\.mcap$/, '.json');
      if (manifest !== undefined && !paired) yield { manifest };
      yield paired ? { object: info, manifest: manifest! } : { object: info };
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

/** Throws `MANIFEST_INVALID`, and what the store throws. */
export async function readManifestObject(
  store: Store,
  info: ObjectInfo,
  signal?: AbortSignal,
): Promise<Manifest> {
  if (info.bytes > MANIFEST_MAX_BYTES) {
    const size = `${info.bytes} bytes, allowed: ${MANIFEST_MAX_BYTES}`;
    throw new HoldfastError('MANIFEST_INVALID', `manifest ${info.key} has ${size}`, {
      facts: { key: info.key },
    });
  }
  const bytes = await readSmallObject(store, info.key, info.bytes, signal);
  return decodeManifest(Buffer.from(bytes).toString('utf8'), info.key);
}
