import { describeError, isHoldfastError } from '../core/errors.js';
import { encodeManifest, type Manifest } from '../core/manifest.js';
import type { ObjectInfo, Store } from '../core/store.js';
import { factsOf } from '../encryption/encrypted-content.js';
import { openDataKey, type Keyring } from '../encryption/keyring.js';
import { recipientName, type RandomBytes, type Recipient } from '../encryption/wrapped-key.js';
import { readManifestObject, storeEntries } from './catalogue/store-entries.js';
import type { Problem } from './segment.js';

/** What a rotation needs. */
export interface RewrapPorts {
  readonly random: RandomBytes;
  /** Identities that open what is there now. */
  readonly keyring: Keyring;
  /** Who can read afterwards; nobody else can. */
  readonly recipients: readonly Recipient[];
  /** Only count what would be replaced. */
  readonly dryRun: boolean;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress?: (done: number) => void;
  readonly signal: AbortSignal;
}

/** Numbers of manifests. */
export interface RewrapReport {
  /** Replaced, or with `dryRun` to be replaced. */
  readonly rewrapped: number;
  /** They have exactly these recipients. */
  readonly unchanged: number;
  /** Of objects that are not encrypted, and tombstones. */
  readonly plain: number;
  /** No identity opens them, or they cannot be read. */
  readonly failed: number;
}

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
    if (manifest.encryption === undefined) return 'plain';
    const rotated = rotate(manifest, manifest.encryption, ports, info.key);
    if (rotated === undefined) return 'unchanged';
    if (!ports.dryRun) await store.put(info.key, Buffer.from(encodeManifest(rotated)), { signal });
    return 'rewrapped';
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable || signal.aborted) throw error;
    onProblem({ where: info.key, reason: describeError(error) });
    return 'failed';
  }
}

/** Undefined: it has exactly these recipients. Throws `IDENTITY_MISSING`, `CIPHERTEXT_CORRUPT`. */
function rotate(
  manifest: Manifest,
  encryption: NonNullable<Manifest['encryption']>,
  { keyring, recipients, random }: RewrapPorts,
  name: string,
): Manifest | undefined {
  const now = encryption.keys.map(({ recipient }) => recipient).sort();
  const wanted = recipients.map(recipientName).sort();
  if (now.join(' ') === wanted.join(' ')) return undefined;
  const dataKey = openDataKey(keyring, encryption, name);
  return { ...manifest, encryption: factsOf({ dataKey }, encryption.plainBytes, recipients, random) };
}
