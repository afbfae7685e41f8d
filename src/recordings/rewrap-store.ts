import { describeError, isHoldfastError } from '../core/errors.js';
import { encodeManifest } from '../core/manifest.js';
import type { ObjectInfo, Store } from '../core/store.js';
import { readManifestObject, storeEntries } from './catalogue/store-entries.js';
import { rotateKeys, type RewrapPorts, type RewrapReport } from './rotate-keys.js';

/**
 * Wraps the data keys of a store for other recipients. It replaces manifests, one at a time and each as a whole, and
 * reads and writes no data. May be repeated after an interruption at any point. Throws the errors of the store.
 */
export async function rewrapStore(store: Store, ports: RewrapPorts): Promise<RewrapReport> {
  const counts = { rewrapped: 0, unchanged: 0, plain: 0, failed: 0 };
  let done = 0;
  for await (const { manifest: info } of storeEntries(store, ports.signal)) {
    if (info === undefined) continue;
    counts[await rewrapOne(store, info, ports)]++;
    ports.onProgress?.(++done);
  }
  return counts;
}

async function rewrapOne(store: Store, info: ObjectInfo, ports: RewrapPorts): Promise<keyof RewrapReport> {
  const { signal, onProblem } = ports;
  try {
    const manifest = await readManifestObject(store, info, signal);
    const rotated = rotateKeys(manifest, ports, info.key);
    if (typeof rotated === 'string') return rotated;
    if (!ports.dryRun) await store.put(info.key, Buffer.from(encodeManifest(rotated)), { signal });
    return 'rewrapped';
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable || signal.aborted) throw error;
    onProblem({ where: info.key, reason: describeError(error) });
    return 'failed';
  }
}
