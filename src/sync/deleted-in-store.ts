import { HoldfastError } from '../core/errors.js';
import { decodeManifest, manifestKey, type DeletedFacts } from '../core/manifest.js';
import { readObject, type PutManifestPorts } from './put-manifest.js';

/** When, by whom and why the store's segment of this key was deleted on request; undefined: it was not. */
export async function deletedInStore(
  ports: PutManifestPorts,
  key: string,
  signal: AbortSignal,
): Promise<DeletedFacts | undefined> {
  const at = manifestKey(key);
  const bytes = await readObject(ports, at, signal);
  if (!bytes) return undefined;
  try {
    return decodeManifest(bytes.toString('utf8'), at).deleted;
  } catch {
    return undefined;
  }
}

/** A segment that must not be uploaded again. */
export function segmentDeleted(key: string, { by, reason }: DeletedFacts): HoldfastError {
  return new HoldfastError(
    'SEGMENT_DELETED',
    `${key} was deleted from the store on request of ${by} (${reason}) and is not uploaded again; delete it here too`,
    { facts: { key, by, reason } },
  );
}
