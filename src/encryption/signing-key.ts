import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

// The DER of a raw Ed25519 key is a constant head and the key (RFC 8410).
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** A secret Ed25519 key of 32 bytes. */
export function signingKey(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, raw]), format: 'der', type: 'pkcs8' });
}

/** A public Ed25519 key of 32 bytes. */
export function verifyingKey(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
}

/** The 32 bytes of a public Ed25519 key. */
export function verifyingBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
}
