import { HoldfastError } from '../core/errors.js';
import { decrypt, derive, encrypt, TAG_BYTES, ZERO_NONCE } from './derive.js';

/*
 * The first bytes of an encrypted file (docs/encryption.md has the tables). All numbers are little-endian. Version 1
 * knows its plaintext beforehand. Version 2 is written while the plaintext is made.
 *
 *   0  8   magic
 *   8  1   version
 *   9  1   suite, 1: HKDF-SHA-256 and AES-256-GCM
 *  10  1   base-2 logarithm of the plaintext bytes of a chunk
 *  11  5   zero
 *  16  16  key id: derived from the data key, so it commits to that key
 *  32  32  salt
 *
 * Version 1 continues with 56 bytes:
 *
 *  64  8   bytes of the plaintext
 *  72  32  SHA-256 of the plaintext, encrypted
 * 104  16  its tag, which also authenticates bytes 0 to 71
 *
 * Version 2 continues with 16 bytes:
 *
 *  64  16  the tag of nothing, which authenticates bytes 0 to 63
 */

const MAGIC = Buffer.from([0x89, 0x48, 0x46, 0x45, 0x4e, 0x43, 0x0d, 0x0a]);
/** Version of files whose plaintext is known before they are written. */
export const WHOLE_VERSION = 1;
/** Version of files that are encrypted while their plaintext is made. */
export const STREAM_VERSION = 2;
const SUITE = 1;
/** Bytes of the header of version 1, which is the longest. */
export const HEADER_BYTES = 120;
/** Bytes of the header of version 2. */
export const STREAM_HEADER_BYTES = 80;
/** Bytes of a key id. */
export const KEY_ID_BYTES = 16;
/** Bytes of the salt of a file. */
export const SALT_BYTES = 32;
/** Bytes that all versions begin with. */
const COMMON_BYTES = 64;
const CLEAR_BYTES = 72;
const NOTHING = Buffer.alloc(0);
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
  readonly version: number;
  readonly chunkBytes: number;
  readonly keyId: Buffer;
  /** Absent in version 2: it follows from the size of the file. */
  readonly plainBytes?: number;
  /** The whole header. */
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

/** Writes a header of version 1. The same arguments give the same bytes. */
export function encodeHeader(
  dataKey: Uint8Array,
  salt: Uint8Array,
  { bytes, sha256 }: PlainDigest,
  chunkLog2 = CHUNK_LOG2,
): Buffer {
  const clear = Buffer.alloc(CLEAR_BYTES);
  writeCommon(clear, WHOLE_VERSION, dataKey, salt, chunkLog2);
  clear.writeBigUInt64LE(BigInt(bytes), COMMON_BYTES);
  return Buffer.concat([clear, encrypt(headerKey(dataKey, salt), ZERO_NONCE, sha256, clear)]);
}

/** Writes a header of version 2: what all versions begin with, and a tag. Key and salt must be fresh for each file. */
export function encodeStreamHeader(dataKey: Uint8Array, salt: Uint8Array, chunkLog2 = CHUNK_LOG2): Buffer {
  const clear = Buffer.alloc(COMMON_BYTES);
  writeCommon(clear, STREAM_VERSION, dataKey, salt, chunkLog2);
  return Buffer.concat([clear, encrypt(headerKey(dataKey, salt), ZERO_NONCE, NOTHING, clear)]);
}

function writeCommon(
  clear: Buffer,
  version: number,
  dataKey: Uint8Array,
  salt: Uint8Array,
  chunkLog2: number,
): void {
  MAGIC.copy(clear);
  clear[8] = version;
  clear[9] = SUITE;
  clear[10] = chunkLog2;
  keyIdOf(dataKey).copy(clear, 16);
  clear.set(salt, 32);
}

/** Reads the clear part of a header, from the first bytes of a file. Throws `CIPHERTEXT_CORRUPT`. */
export function decodeHeader(start: Buffer, name: string): Header {
  if (!hasMagic(start)) throw damaged(name, 'it does not begin as an encrypted file', { at: 0 });
  const [version, suite, log2] = [start[8] ?? 0, start[9] ?? 0, start[10] ?? 0];
  if ((version !== WHOLE_VERSION && version !== STREAM_VERSION) || suite !== SUITE) {
    const found = `its version is ${version} with suite ${suite}`;
    const allowed = `allowed: version ${WHOLE_VERSION} or ${STREAM_VERSION} with suite ${SUITE}`;
    throw damaged(name, `${found}, ${allowed}`, { version });
  }
  const headerBytes = version === STREAM_VERSION ? STREAM_HEADER_BYTES : HEADER_BYTES;
  if (start.length < headerBytes) {
    throw damaged(name, `it ends after ${start.length} bytes, in its header: it was truncated`, {});
  }
  if (log2 < CHUNK_LOG2_MIN || log2 > CHUNK_LOG2_MAX) {
    throw damaged(name, `chunks of 2^${log2} bytes, allowed: 2^${CHUNK_LOG2_MIN} to 2^${CHUNK_LOG2_MAX}`, {});
  }
  const raw = start.subarray(0, headerBytes);
  const common = { version, chunkBytes: 2 ** log2, keyId: raw.subarray(16, 32), raw };
  if (version === STREAM_VERSION) return common;
  return { ...common, plainBytes: Number(raw.readBigUInt64LE(COMMON_BYTES)) };
}

/**
 * Authenticates a header; returns the SHA-256 of the plaintext, which version 2 does not have. Throws
 * `CIPHERTEXT_CORRUPT`.
 */
export function openHeader({ raw, version }: Header, dataKey: Uint8Array, name: string): Buffer | undefined {
  const clearBytes = version === STREAM_VERSION ? COMMON_BYTES : CLEAR_BYTES;
  const key = headerKey(dataKey, raw.subarray(32, COMMON_BYTES));
  const content = decrypt(key, ZERO_NONCE, raw.subarray(clearBytes), raw.subarray(0, clearBytes));
  if (!content) throw damaged(name, 'its header is damaged', { at: 0 });
  return version === STREAM_VERSION ? undefined : content;
}

/**
 * The key of the chunks. It depends on the whole header. In version 1 that has the SHA-256 of the plaintext: even the
 * same data key and salt never encrypt two plaintexts with one key and nonce. In version 2 each file has a data key of
 * its own, which is forgotten with the writer.
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

/** Bytes of an encrypted file of version 1. */
export function encryptedBytes(plainBytes: number, chunkBytes: number): number {
  return HEADER_BYTES + plainBytes + TAG_BYTES * chunkCount(plainBytes, chunkBytes);
}

/** Number of chunks; an empty plaintext has one, so that its end is authenticated too. */
export function chunkCount(plainBytes: number, chunkBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / chunkBytes));
}
