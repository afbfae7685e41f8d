import { createHash } from 'node:crypto';
import type { Readable } from '../core/mcap/readable.js';
import { openChunk, planChunks, planOfFile, sealedRange, type ChunkPlan } from './chunks.js';
import {
  damaged,
  decodeHeader,
  encryptedBytes,
  HEADER_BYTES,
  keyIdOf,
  openHeader,
  payloadKey,
  type Header,
} from './header.js';

const PIECE_BYTES = 1024 * 1024;

/** An encrypted file whose header was authenticated. */
export interface OpenedFile {
  readonly plan: ChunkPlan;
  readonly key: Buffer;
  /** Of the plaintext, as the writer stated it. Version 2 does not state it: the tags of its chunks stand for it. */
  readonly sha256?: Buffer;
}

/**
 * Reads and authenticates the header and the size of the file. Throws `CIPHERTEXT_CORRUPT` if they are damaged, or belong
 * to another data key.
 */
export async function openEncrypted(
  sealed: Readable,
  dataKey: Uint8Array,
  name: string,
): Promise<OpenedFile> {
  const size = Number(await sealed.size());
  const start = await sealed.read(0n, BigInt(Math.min(HEADER_BYTES, size)));
  const header = decodeHeader(Buffer.from(start), name);
  if (!header.keyId.equals(keyIdOf(dataKey))) {
    throw damaged(name, 'its header is damaged, or its data key belongs to another file', { at: 0 });
  }
  const sha256 = openHeader(header, dataKey, name);
  const key = payloadKey(dataKey, header.raw);
  if (header.plainBytes === undefined || sha256 === undefined) {
    return { plan: await checkedPlan(sealed, size, header, key, name), key };
  }
  const expected = encryptedBytes(header.plainBytes, header.chunkBytes);
  if (size !== expected) {
    const what = size < expected ? 'it was truncated' : 'bytes were appended to it';
    throw damaged(name, `${what}: ${size} bytes, its header states ${expected}`, { size, expected });
  }
  return { plan: planChunks(header.plainBytes, header.chunkBytes), key, sha256 };
}

/** The last chunk is authenticated first: it is the last one only if the file was neither cut nor extended. */
async function checkedPlan(
  sealed: Readable,
  size: number,
  { chunkBytes }: Header,
  key: Buffer,
  name: string,
): Promise<ChunkPlan> {
  const plan = planOfFile(size, chunkBytes);
  if (plan === undefined) throw damaged(name, `it was truncated or extended to ${size} bytes`, { size });
  const last = plan.count - 1;
  const { start, end } = sealedRange(plan, last);
  const bytes = await sealed.read(BigInt(start), BigInt(end - start));
  if (!openChunk(key, plan, last, bytes)) {
    const what = `chunk ${last} of ${plan.count} is damaged, or the file was truncated or extended`;
    throw damaged(name, what, { chunk: last, size });
  }
  return plan;
}

/**
 * The plaintext of an encrypted file by ranges: it reads and decrypts only the chunks of a range, and gives no byte of a
 * chunk before the chunk is authenticated. It keeps the last chunk. `read` throws `CIPHERTEXT_CORRUPT` with the number
 * of the damaged chunk.
 */
export function decryptedReadable(sealed: Readable, dataKey: Uint8Array, name: string): Readable {
  let opening: Promise<OpenedFile> | undefined;
  // A failure may be one of the store: the next read tries again.
  const open = (): Promise<OpenedFile> =>
    (opening ??= openEncrypted(sealed, dataKey, name).catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));
  let last: { readonly index: number; readonly plain: Buffer } | undefined;
  return {
    async size() {
      return BigInt((await open()).plan.plainBytes);
    },
    async read(offset, size) {
      const file = await open();
      const { chunkBytes, plainBytes } = file.plan;
      const [from, to] = [Number(offset), Number(offset + size)];
      if (to > plainBytes) throw damaged(name, `no bytes ${from} to ${to} in ${plainBytes}`, {});
      const result = Buffer.allocUnsafeSlow(to - from);
      if (to === from) return result;
      const [first, end] = [Math.floor(from / chunkBytes), Math.ceil(to / chunkBytes)];
      const fill = (index: number, plain: Buffer): void => {
        const start = index * chunkBytes;
        plain.copy(result, Math.max(0, start - from), Math.max(0, from - start), Math.max(0, to - start));
      };
      const held = last?.index === first ? last : undefined;
      if (held) fill(held.index, held.plain);
      const missing = held ? first + 1 : first;
      if (missing < end) last = await readChunks(sealed, file, name, [missing, end], fill);
      return result;
    },
  };
}

async function readChunks(
  sealed: Readable,
  { plan, key }: OpenedFile,
  name: string,
  [from, to]: readonly [number, number],
  use: (index: number, plain: Buffer) => void,
): Promise<{ readonly index: number; readonly plain: Buffer }> {
  const { start } = sealedRange(plan, from);
  const { end } = sealedRange(plan, to - 1);
  const bytes = await sealed.read(BigInt(start), BigInt(end - start));
  let plain: Buffer = Buffer.alloc(0);
  for (let index = from; index < to; index++) {
    const range = sealedRange(plan, index);
    const opened = openChunk(key, plan, index, bytes.subarray(range.start - start, range.end - start));
    if (!opened) throw damaged(name, `chunk ${index} of ${plan.count} is damaged`, { chunk: index });
    plain = opened;
    use(index, plain);
  }
  return { index: to - 1, plain };
}

/** The plaintext from front to back, in pieces of about 1 MiB; at its end, the SHA-256 in its header was compared. */
export async function* decryptAll(
  sealed: Readable,
  dataKey: Uint8Array,
  name: string,
): AsyncGenerator<Buffer, void, void> {
  const file = await openEncrypted(sealed, dataKey, name);
  const hash = createHash('sha256');
  const step = Math.max(1, Math.floor(PIECE_BYTES / file.plan.chunkBytes));
  for (let at = 0; at < file.plan.count; at += step) {
    const pieces: Buffer[] = [];
    const end = Math.min(at + step, file.plan.count);
    await readChunks(sealed, file, name, [at, end], (_index, plain) => pieces.push(plain));
    const piece = Buffer.concat(pieces);
    hash.update(piece);
    yield piece;
  }
  const sha256 = hash.digest();
  if (file.sha256 && !sha256.equals(file.sha256))
    throw damaged(name, 'the SHA-256 of its content is another', {});
}
