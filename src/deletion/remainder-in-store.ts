import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { encodeManifest, manifestKey, type Manifest } from '../core/manifest.js';
import type { Store, Upload } from '../core/store.js';
import { readManifestObject } from '../recordings/catalogue/store-entries.js';
import { putObject } from '../recordings/replicate/copy-object.js';
import { storeReadable } from '../recordings/store-readable.js';
import { cutSegment, type CutPorts } from './cut-segment.js';
import type { DeletionRequest } from './deletion-request.js';
import { isRemainderOf, remainderName } from './remainder-name.js';
import { verifyRemainder } from './verify-remainder.js';

const READ_BYTES = 1024 * 1024;

/** What removing a part of a segment of a store needs. */
export interface StoreCutPorts extends CutPorts {
  /** Path of a folder for one file: what is left of a segment, before it is sent. */
  readonly scratch: () => Promise<string>;
}

/** One segment of a store. */
interface Stored {
  readonly store: Store;
  readonly key: string;
  readonly manifest: Manifest;
  readonly signal: AbortSignal;
}

/** The manifest of what the request left of the segment under this key, or its tombstone; undefined: neither exists. */
export async function readStoredRemainder(
  store: Store,
  key: string,
  request: DeletionRequest,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  const info = await store.head(manifestKey(remainderName(key, request)), { signal });
  return info && (await readManifestObject(store, info, signal));
}

/**
 * Makes the segment with what the request leaves of a stored one, under a key beside it, and returns its manifest. The
 * object is verified in the store before its manifest is written. What an earlier run has made is kept if the store
 * still has it. No message that the request names is written to the disk of this machine. Undefined: the request names
 * nothing in the segment. Throws as {@link cutSegment}, and the errors of the store.
 */
export async function remainderInStore(
  ports: StoreCutPorts,
  { store, key, manifest, signal }: Stored,
  request: DeletionRequest,
): Promise<Manifest | undefined> {
  const known = await readStoredRemainder(store, key, request, signal);
  const remainderKey = remainderName(key, request);
  if (known && isRemainderOf(known, manifest) && (await isThere(store, remainderKey, known, signal)))
    return known;
  const { sha256 } = manifest.file;
  if (sha256 === undefined) {
    throw new HoldfastError('SEGMENT_CORRUPT', `the manifest of ${key} has no SHA-256`, { facts: { key } });
  }
  await store.verify(key, manifest.file, { signal });
  const info = await store.head(key, { signal });
  const readable = storeReadable(store, key, info?.bytes ?? manifest.file.bytes, { signal });
  const path = join(await ports.scratch(), 'remainder.mcap');
  const { fs } = ports;
  try {
    const made = await cutSegment(ports, { name: key, manifest, sha256, readable }, request, path);
    if (made === undefined) return undefined;
    await verifyRemainder(ports, path, made, request);
    const target = { key: remainderKey, bytes: made.file.bytes };
    const uploads = await uploadsOf(store, remainderKey, signal);
    const putting = { target: store, overwrite: true, uploads, signal };
    await putObject(target, fileContent(fs, path), made.file, putting);
    await store.put(manifestKey(remainderKey), Buffer.from(encodeManifest(made)), { signal });
    return made;
  } finally {
    await fs.rm(path, { force: true }).catch(() => undefined);
  }
}

/** A remainder that was deleted since is not made again. */
async function isThere(store: Store, key: string, manifest: Manifest, signal: AbortSignal): Promise<boolean> {
  if (manifest.evicted) return true;
  try {
    await store.verify(key, manifest.file, { signal });
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING') || isHoldfastError(error, 'OBJECT_CORRUPT')) return false;
    throw error;
  }
}

/** An upload of it that an interrupted run has begun. */
async function uploadsOf(store: Store, key: string, signal: AbortSignal): Promise<Map<string, Upload>> {
  const found = new Map<string, Upload>();
  for await (const upload of store.listUploads({ signal })) {
    if (upload.key === key) found.set(key, { key, uploadId: upload.uploadId });
  }
  return found;
}

async function* fileContent(fs: FileSystem, path: string): AsyncGenerator<Uint8Array, void, void> {
  await using handle = await fs.open(path, 'r');
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
