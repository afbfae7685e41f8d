import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Clock } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import { decodeManifest, encodeManifest, manifestKey, type DigestedManifest } from '../core/manifest.js';
import type { AskedObject, EncryptedObject, StoreAnswer } from '../core/receipt-file.js';
import type { SegmentDeriver } from '../core/segment-deriver.js';
import type { ObjectDigest, Store } from '../core/store.js';
import { readObject } from './put-manifest.js';
import type { StoreCalls } from './store-calls.js';

export interface AskPorts {
  readonly store: Store;
  readonly calls: StoreCalls;
  readonly clock: Clock;
  /** Throws unless the store is the one that this data folder knows, in the same place as before. */
  readonly checkIdentity: () => Promise<void>;
  /** The result of the last check. */
  readonly storeId: () => string | undefined;
}

/** A sealed segment and its place in the store. */
export interface AskedSegment {
  readonly manifest: DigestedManifest;
  /** The bytes that were published. */
  readonly manifestBytes: Buffer;
  /** Of the object, or of the marker that lists the files made of the segment. */
  readonly key: string;
  /** Nonce of the recorder's request. */
  readonly request?: string | undefined;
}

type Answer = StoreAnswer['answer'];

/**
 * Asks the store for one sealed segment: its id, then object and manifest by key, size and checksum, then its
 * id again. The second id makes sure that no other disk, mounted in between, gave the answer. One HEAD each
 * if the store computes checksums; otherwise the store is read. If the store cannot be asked, throws the
 * errors of the calls.
 */
export async function askForSegment(
  ports: AskPorts,
  { manifest, manifestBytes, key, request }: AskedSegment,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  const published = key === manifest.key ? manifestBytes : Buffer.from(encodeManifest({ ...manifest, key }));
  const { bytes, sha256, crc32: crc } = manifest.file;
  const object: AskedObject = { key, bytes, sha256, crc32: crc };
  const marker = identityOf(manifestKey(key), published);
  const { encryption } = manifest;
  return askTwice(ports, signal, request, () =>
    askForBoth(ports, { object, manifest: marker }, encryption?.keyId, signal),
  );
}

/** The same for an encrypted segment, by its receipt: what it must be needs no key. */
export function askForEncrypted(
  ports: AskPorts,
  { encrypted, asked, request }: EncryptedQuestion,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  const { key } = asked.object ?? { key: '' };
  const { keyId, ...sums } = encrypted;
  const known = { object: { key, ...sums }, manifest: asked.manifest };
  return askTwice(ports, signal, request, () => askForBoth(ports, known, keyId, signal));
}

/** An encrypted object of a receipt. */
export interface EncryptedQuestion {
  readonly encrypted: EncryptedObject;
  readonly asked: StoreAnswer;
  readonly request?: string | undefined;
}

/**
 * Object and manifest. A rotation of keys replaces the manifest of an encrypted object: another one for the same object
 * and data key is as good, and is the known one from then on.
 */
async function askForBoth(
  ports: AskPorts,
  { object, manifest }: { readonly object: AskedObject; readonly manifest: AskedObject },
  keyId: string | undefined,
  signal: AbortSignal,
): Promise<Pick<StoreAnswer, 'answer' | 'object' | 'manifest'>> {
  const held = await askFor(ports, object, signal);
  const marker = await askFor(ports, manifest, signal);
  if (marker === 'differs' && keyId !== undefined) {
    const rotated = await readRotated(ports, object, manifest.key, keyId, signal);
    if (rotated) return { answer: held, object, manifest: rotated };
  }
  return { answer: worst([held, marker]), object, manifest };
}

async function readRotated(
  ports: AskPorts,
  { key, bytes, sha256, crc32: crc }: AskedObject,
  manifestAt: string,
  keyId: string,
  signal: AbortSignal,
): Promise<AskedObject | undefined> {
  const found = await readObject(ports, manifestAt, signal);
  if (!found) return undefined;
  try {
    const { key: own, file, encryption } = decodeManifest(found.toString('utf8'), manifestAt);
    const isSame = file.bytes === bytes && file.sha256 === sha256 && file.crc32 === crc;
    return isSame && own === key && encryption?.keyId === keyId ? identityOf(manifestAt, found) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The same for the files made of a segment: the marker, and every file that it lists. If a file was compacted
 * with others since, the store is asked for the file that replaced it. `verified` are keys whose bytes this
 * process has just compared; for these it asks only for presence and size.
 */
export async function askForDerived(
  ports: AskPorts,
  deriver: SegmentDeriver,
  { manifest, key, request }: AskedSegment,
  verified: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  return askTwice(ports, signal, request, async () => {
    const found = await readObject(ports, key, signal);
    const marker = identityOf(key, found ?? Buffer.alloc(0));
    if (!found) return { answer: 'missing', manifest: marker };
    if (deriver.judge(found, manifest) !== 'complete') return { answer: 'differs', manifest: marker };
    return { answer: await askForListed(ports, deriver, found, verified, signal), manifest: marker };
  });
}

/** The same for the files made of a segment that is no longer here: the marker must be the last known one. */
export async function askForMarked(
  ports: AskPorts,
  deriver: SegmentDeriver,
  { manifest: marker }: StoreAnswer,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  return askTwice(ports, signal, undefined, async () => {
    const found = await readObject(ports, marker.key, signal);
    if (!found) return { answer: 'missing', manifest: marker };
    if (identityOf(marker.key, found).sha256 !== marker.sha256)
      return { answer: 'differs', manifest: marker };
    return { answer: await askForListed(ports, deriver, found, new Set(), signal), manifest: marker };
  });
}

/** Every file that a marker lists, or the file that replaced it. */
async function askForListed(
  ports: AskPorts,
  deriver: SegmentDeriver,
  marker: Buffer,
  verified: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Answer> {
  const lost: string[] = [];
  const answers: Answer[] = [];
  for (const file of deriver.files(marker)) {
    const answer = await askFor(ports, file, signal, verified.has(file.key));
    if (answer === 'missing') lost.push(file.key);
    else answers.push(answer);
  }
  const replacements = lost.length === 0 ? [] : await deriver.replacements(ports.store, lost, signal);
  if (!replacements) return 'missing';
  for (const file of replacements) answers.push(await askFor(ports, file, signal));
  return worst(answers);
}

/** The same for a segment that is no longer here, by the facts of the last question. */
export function askForRecorded(
  ports: AskPorts,
  { object, manifest }: StoreAnswer,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  return askTwice(ports, signal, undefined, async () => {
    const answers = [await askFor(ports, manifest, signal)];
    if (object) answers.push(await askFor(ports, object, signal));
    return { answer: worst(answers), manifest, ...defined({ object }) };
  });
}

/** Key, size and checksums of a small object. */
export function identityOf(key: string, data: Buffer): AskedObject {
  const sha256 = createHash('sha256').update(data).digest('hex');
  return { key, bytes: data.length, sha256, crc32: crc32(data) };
}

async function askTwice(
  ports: AskPorts,
  signal: AbortSignal,
  request: string | undefined,
  ask: () => Promise<Pick<StoreAnswer, 'answer' | 'object' | 'manifest'>>,
): Promise<StoreAnswer> {
  const askedAt = String(ports.clock.now());
  await identify(ports, signal);
  const storeId = ports.storeId();
  const said = await ask();
  await identify(ports, signal);
  if (storeId === undefined || ports.storeId() !== storeId) {
    throw new HoldfastError('STORE_OFFLINE', `${ports.store.uri} became another store while it was asked`);
  }
  return { ...said, askedAt, storeId, ...(request !== undefined && { request }) };
}

function identify({ calls, checkIdentity }: AskPorts, signal: AbortSignal): Promise<void> {
  return calls.call('check the store id', 0, signal, () => checkIdentity());
}

async function askFor(
  { store, calls }: AskPorts,
  { key, ...digest }: ObjectDigest & { readonly key: string },
  signal: AbortSignal,
  bySize = false,
): Promise<Answer> {
  try {
    if (bySize) {
      const found = await calls.call(`ask for ${key}`, 0, signal, (within) =>
        store.head(key, { signal: within }),
      );
      if (!found) return 'missing';
      return found.bytes === digest.bytes ? 'held' : 'differs';
    }
    await calls.call(`ask for ${key}`, digest.bytes, signal, (within) =>
      store.verify(key, digest, { signal: within }),
    );
    return 'held';
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING')) return 'missing';
    if (isHoldfastError(error, 'OBJECT_CORRUPT')) return 'differs';
    throw error;
  }
}

function worst(answers: readonly Answer[]): Answer {
  if (answers.includes('missing')) return 'missing';
  return answers.includes('differs') ? 'differs' : 'held';
}
