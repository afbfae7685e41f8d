import { crc32 } from '@node-rs/crc32';
import { isHoldfastError } from '../../core/errors.js';
import type { CallOptions, ObjectDigest, ObjectInfo, Receipt, Store, Upload } from '../../core/store.js';
import { cutPieces } from '../../stores/cut-pieces.js';
import { ObjectSum } from './object-sum.js';

/** Smaller objects are put whole; larger ones are sent in parts of at least this. */
const PART_BYTES = 8 * 1024 * 1024;

/** What {@link putObject} needs. */
export interface PutPorts extends CallOptions {
  readonly target: Store;
  /** Replace what the target has. */
  readonly overwrite: boolean;
  /** Unfinished uploads of the target, by key. */
  readonly uploads: ReadonlyMap<string, Upload>;
}

/** What {@link copyObject} needs. */
export interface CopyPorts extends PutPorts {
  readonly source: Store;
}

/** Copies one object as {@link putObject} does. */
export function copyObject(
  info: ObjectInfo,
  expected: ObjectDigest | undefined,
  { source, ...ports }: CopyPorts,
): Promise<void> {
  const { signal } = ports;
  const content = source.read(info.key, undefined, signal === undefined ? {} : { signal });
  return putObject(info, content, expected, ports);
}

/**
 * Writes one object and verifies it in the target. Continues an upload that an earlier run left, without sending
 * its parts again. Memory is bounded by one part.
 *
 * Throws `OBJECT_CORRUPT` if the source does not have the bytes that its manifest describes, or the target not the
 * bytes that were sent; then the target has no such object.
 *
 * @param expected - From the manifest; undefined if the object has none.
 */
export async function putObject(
  { key, bytes }: ObjectInfo,
  content: AsyncIterable<Uint8Array>,
  expected: ObjectDigest | undefined,
  ports: PutPorts,
): Promise<void> {
  const { target, signal } = ports;
  const call = signal === undefined ? {} : { signal };
  const { minPartBytes, maxParts } = target.limits;
  const partBytes = Math.max(PART_BYTES, minPartBytes, Math.ceil(bytes / maxParts));
  const sum = new ObjectSum();
  const pieces = sum.of(cutPieces(content, partBytes));
  const send = bytes <= partBytes ? putWhole : sendParts;
  await send(key, pieces, () => sum.check(key, bytes, expected), { ...ports, ...call });
  try {
    await target.verify(key, expected ?? sum.result(), call);
  } catch (error) {
    // Written by this call, and wrong: the next run sends it again.
    if (isHoldfastError(error, 'OBJECT_CORRUPT')) await target.delete(key, call);
    throw error;
  }
}

async function putWhole(
  key: string,
  pieces: AsyncIterable<Buffer>,
  check: () => void,
  { target, overwrite, signal }: PutPorts,
): Promise<void> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  check();
  await target.put(key, Buffer.concat(all), { ifAbsent: !overwrite, ...(signal && { signal }) });
}

async function sendParts(
  key: string,
  pieces: AsyncIterable<Buffer>,
  check: () => void,
  { target, overwrite, uploads, signal }: PutPorts,
): Promise<void> {
  const call = signal === undefined ? {} : { signal };
  const open = uploads.get(key);
  const found = open === undefined ? [] : await target.listParts(open, call).catch(unknownUpload);
  const upload = open !== undefined && found ? open : await target.createUpload(key, call);
  const there = new Map(found?.map((receipt) => [receipt.partNumber, receipt]));
  const receipts: Receipt[] = [];
  for await (const piece of pieces) {
    const partNumber = receipts.length + 1;
    const earlier = there.get(partNumber);
    const isSame = earlier?.bytes === piece.byteLength && earlier.crc32 === crc32(piece);
    receipts.push(earlier && isSame ? earlier : await target.uploadPart(upload, partNumber, piece, call));
  }
  try {
    check();
  } catch (error) {
    await target.abortUpload(upload, call);
    throw error;
  }
  await target.completeUpload(upload, receipts, { ...call, overwrite });
}

function unknownUpload(error: unknown): undefined {
  if (!isHoldfastError(error, 'UPLOAD_UNKNOWN')) throw error;
}
