import { isHoldfastError } from '../core/errors.js';
import { decodeManifest, type Manifest } from '../core/manifest.js';
import type { Store } from '../core/store.js';
import type { StoreCalls } from './store-calls.js';

/** What to do about another manifest that is already at the key. */
export type ManifestVerdict = 'accept' | 'replace' | 'taken';

export interface PutManifestPorts {
  readonly store: Store;
  readonly calls: StoreCalls;
}

// Larger than any manifest that sync would write; it only bounds what is read into memory.
const READ_MAX_BYTES = 64 * 1024 * 1024;
const LOST_RACES_MAX = 3;

/**
 * Writes a manifest if the key is free. An existing one with equal bytes counts as done; otherwise `judge`
 * decides (`undefined`: it does not parse). Resolves `taken` if the existing one must stay.
 */
export function putManifest(
  ports: PutManifestPorts,
  key: string,
  data: Buffer,
  judge: (existing: Manifest | undefined) => ManifestVerdict,
  signal: AbortSignal,
): Promise<'published' | 'taken'> {
  return putMarker(ports, key, data, (existing) => judge(parse(existing, key)), signal);
}

/** The same for a commit marker of any form; `judge` receives the existing one. */
export async function putMarker(
  { store, calls }: PutManifestPorts,
  key: string,
  data: Buffer,
  judge: (existing: Buffer) => ManifestVerdict,
  signal: AbortSignal,
): Promise<'published' | 'taken'> {
  const put = (ifAbsent: boolean): Promise<unknown> =>
    calls.call(`put ${key}`, data.length, signal, (within) =>
      store.put(key, data, { signal: within, ifAbsent }),
    );
  for (let race = 0; ; race++) {
    const existing =
      store.supports.conditionalPut && race === 0
        ? undefined
        : await readObject({ store, calls }, key, signal);
    if (existing) {
      if (existing.equals(data)) return 'published';
      const verdict = judge(existing);
      if (verdict === 'taken') return 'taken';
      if (verdict === 'replace') await put(false);
      return 'published';
    }
    try {
      await put(store.supports.conditionalPut);
      return 'published';
    } catch (error) {
      const there = isHoldfastError(error, 'OBJECT_EXISTS') || isHoldfastError(error, 'OBJECT_CONFLICT');
      if (!there || race >= LOST_RACES_MAX) throw error;
    }
  }
}

/** The bytes of a small object; `undefined` if it does not exist. */
export async function readObject(
  { store, calls }: PutManifestPorts,
  key: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    return await calls.call(`read ${key}`, 0, signal, async (within) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of store.read(key, { start: 0, end: READ_MAX_BYTES }, { signal: within })) {
        pieces.push(piece);
      }
      return Buffer.concat(pieces);
    });
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
    throw error;
  }
}

function parse(data: Buffer, key: string): Manifest | undefined {
  try {
    return decodeManifest(data.toString('utf8'), key);
  } catch {
    return undefined;
  }
}
