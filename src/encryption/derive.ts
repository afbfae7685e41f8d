import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** Bytes of an authentication tag of AES-256-GCM. */
export const TAG_BYTES = 16;
/** Bytes of a nonce. */
export const NONCE_BYTES = 12;
/** For keys that encrypt one thing only. */
export const ZERO_NONCE = Buffer.alloc(NONCE_BYTES);

const NONE: Uint8Array = Buffer.alloc(0);

/** HKDF-SHA-256. Every purpose has an `info` of its own. */
export function derive(
  key: Uint8Array,
  salt: Uint8Array,
  purpose: string,
  more: Uint8Array = NONE,
  bytes = 32,
): Buffer {
  const info = Buffer.concat([Buffer.from(`holdfast encryption 1 ${purpose}`), more]);
  return Buffer.from(hkdfSync('sha256', key, salt, info, bytes));
}

/** Ciphertext and tag. */
export function encrypt(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad = NONE): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  const body = cipher.update(plaintext);
  return Buffer.concat([body, cipher.final(), cipher.getAuthTag()]);
}

/** Ciphertext and tag, into existing memory; returns the bytes written there. Joining them would move each byte again. */
export function encryptInto(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  target: Buffer,
  at: number,
): number {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const bodyBytes = cipher.update(plaintext).copy(target, at);
  // A stream cipher gives nothing at its end, but completes the tag.
  cipher.final();
  return bodyBytes + cipher.getAuthTag().copy(target, at + bodyBytes);
}

/** The plaintext, or undefined if it was not encrypted with this key, nonce and associated data. */
export function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad = NONE,
): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  const body = decipher.update(sealed.subarray(0, end));
  try {
    return Buffer.concat([body, decipher.final()]);
  } catch {
    return undefined;
  }
}
