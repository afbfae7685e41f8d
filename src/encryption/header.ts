import { HoldfastError } from '../core/errors.js';
import { decrypt, derive, encrypt, TAG_BYTES, ZERO_NONCE } from './derive.js';

/*
 * The first 120 bytes of an encrypted file (docs/encryption.md has the table). All numbers are little-endian.
 *
 *   0  8   magic
 *   8  1   version, 1
 *   9  1   suite, 1: HKDF-SHA-256 and AES-256-GCM
 *  10  1   base-2 logarithm of the plaintext bytes of a chunk
 *  11  5   zero
 *  16  16  key id: derived from the data key, so it commits to that key
 *  32  32  salt
 *  64  8   bytes of the plaintext
 *  72  32  SHA-256 of the plaintext, encrypted
 * 104  16  its tag, which also authenticates bytes 0 to 71
 */

const MAGIC = Buffer.from([0x89, 0x48, 0x46, 0x45, 0x4e, 0x43, 0x0d, 0x0a]);
/** Version of the format that this software writes and reads. */
export const ENCRYPTION_VERSION = 1;
const SUITE = 1;
/** Bytes of the header. */
export const HEADER_BYTES = 120;
/** Bytes of a key id. */
export const KEY_ID_BYTES = 16;
/** Bytes of the salt of a file. */
export const SALT_BYTES = 32;
const CLEAR_BYTES = 72;
/** 64 KiB: small enough for a read of a few records, and the tag is 0.02 % of it. */
export const CHUNK_LOG2 = 16;
const CHUNK_LOG2_MIN = 12;
/** Bounds the memory of a reader: 16 MiB. */
const CHUNK_LOG2_MAX = 24;

/** The plaintext of one file. */
export interface PlainDigest {
  readonly bytes: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

/** The clear part of a header. */
export interface Header {
  readonly chunkBytes: number;
  readonly keyId: Buffer;
  readonly plainBytes: number;
  /** All 120 bytes. */
  readonly raw: Buffer;
}

/** Of any version. */
function hasMagic(start: Uint8Array): boolean {
  return Buffer.from(start).subarray(0, MAGIC.length).equals(MAGIC);
}

/** Names a data key without telling it. */
export function keyIdOf(dataKey: Uint8Array): Buffer {
  return derive(dataKey, Buffer.alloc(0), 'key id', undefined, KEY_ID_BYTES);
}

/** Writes a header. The same arguments give the same bytes. */
export function encodeHeader(
  dataKey: Uint8Array,
  salt: Uint8Array,
  { bytes, sha256 }: PlainDigest,
  chunkLog2 = CHUNK_LOG2,
): Buffer {
  const clear = Buffer.alloc(CLEAR_BYTES);
  MAGIC.copy(clear);
  clear[8] = ENCRYPTION_VERSION;
  clear[9] = SUITE;
  clear[10] = chunkLog2;
  keyIdOf(dataKey).copy(clear, 16);
  clear.set(salt, 32);
  clear.writeBigUInt64LE(BigInt(bytes), 64);
  return Buffer.concat([clear, encrypt(headerKey(dataKey, salt), ZERO_NONCE, sha256, clear)]);
}

/** Reads the clear part of a header. Throws `CIPHERTEXT_CORRUPT`. */
export function decodeHeader(raw: Buffer, name: string): Header {
  if (!hasMagic(raw)) throw damaged(name, 'it does not begin as an encrypted file', { at: 0 });
  const [version, suite, log2] = [raw[8] ?? 0, raw[9] ?? 0, raw[10] ?? 0];
  if (version !== ENCRYPTION_VERSION || suite !== SUITE) {
    const found = `its version is ${version} with suite ${suite}`;
    throw damaged(name, `${found}, allowed: version ${ENCRYPTION_VERSION} with suite ${SUITE}`, { version });
  }
  if (raw.length < HEADER_BYTES) throw damaged(name, `it ends after ${raw.length} bytes, in its header`, {});
  if (log2 < CHUNK_LOG2_MIN || log2 > CHUNK_LOG2_MAX) {
    throw damaged(name, `chunks of 2^${log2} bytes, allowed: 2^${CHUNK_LOG2_MIN} to 2^${CHUNK_LOG2_MAX}`, {});
  }
  const plainBytes = Number(raw.readBigUInt64LE(64));
  return { chunkBytes: 2 ** log2, keyId: raw.subarray(16, 32), plainBytes, raw };
}

/** Authenticates a header; returns the SHA-256 of the plaintext. Throws `CIPHERTEXT_CORRUPT`. */
export function openHeader({ raw }: Header, dataKey: Uint8Array, name: string): Buffer {
  const clear = raw.subarray(0, CLEAR_BYTES);
  const sealed = raw.subarray(CLEAR_BYTES, HEADER_BYTES);
  const sha256 = decrypt(headerKey(dataKey, raw.subarray(32, 64)), ZERO_NONCE, sealed, clear);
  if (!sha256) throw damaged(name, 'its header is damaged', { at: 0 });
  return sha256;
}

/**
 * The key of the chunks. It depends on the whole header, and so on the SHA-256 of the plaintext: even the same data key
 * and salt never encrypt two plaintexts with one key and nonce.
 */
export function payloadKey(dataKey: Uint8Array, header: Uint8Array): Buffer {
  return derive(dataKey, header.subarray(32, 64), 'payload', header);
}

function headerKey(dataKey: Uint8Array, salt: Uint8Array): Buffer {
  return derive(dataKey, salt, 'header');
}

/** An error about a file that is not what was encrypted. */
export function damaged(name: string, what: string, facts: Readonly<Record<string, unknown>>): HoldfastError {
  return new HoldfastError('CIPHERTEXT_CORRUPT', `${name}: ${what}`, { facts: { name, ...facts } });
}

/** Bytes of an encrypted file. */
export function encryptedBytes(plainBytes: number, chunkBytes: number): number {
  return HEADER_BYTES + plainBytes + TAG_BYTES * chunkCount(plainBytes, chunkBytes);
}

/** Number of chunks; an empty plaintext has one, so that its end is authenticated too. */
export function chunkCount(plainBytes: number, chunkBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / chunkBytes));
}
