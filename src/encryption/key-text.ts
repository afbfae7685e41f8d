import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '../core/errors.js';

/*
 * Keys as text: a prefix, `_`, and 36 bytes in base64url: 32 bytes of the key and 4 of a checksum. With a wrong digit
 * in a recipient, everything that is encrypted for it would be unreadable for ever.
 */

/** Bytes of every key: X25519, data keys and key files. */
export const KEY_BYTES = 32;
const CHECK_BYTES = 4;

/** What a text holds: a recipient's public key, its secret key, a symmetric key, or a key for signatures. */
export const keyPrefixes = {
  recipient: 'hfpub1',
  identity: 'hfsec1',
  symmetric: 'hfkey1',
  signing: 'hfsign1',
  verifying: 'hfver1',
} as const;

/** A kind of key text. */
export type KeyKind = keyof typeof keyPrefixes;

/** Writes a key of 32 bytes as text. */
export function encodeKey(kind: KeyKind, key: Uint8Array): string {
  const prefix = keyPrefixes[kind];
  return `${prefix}_${Buffer.concat([key, checksum(prefix, key)]).toString('base64url')}`;
}

/**
 * Reads a key from its text. Throws `KEY_INVALID`; the message never holds the text of a secret.
 *
 * @param where - The place of the text, for the error.
 */
export function decodeKey(kind: KeyKind, text: string, where: string): Buffer {
  const prefix = keyPrefixes[kind];
  const bytes = Buffer.from(text.slice(prefix.length + 1), 'base64url');
  const key = bytes.subarray(0, KEY_BYTES);
  const fits = text.startsWith(`${prefix}_`) && bytes.length === KEY_BYTES + CHECK_BYTES;
  if (!fits || encodeKey(kind, key) !== text) throw invalidKey(kind, text, where);
  return key;
}

/** The kind that a text claims to be. */
export function kindOfKey(text: string): KeyKind | undefined {
  const kinds = Object.keys(keyPrefixes) as KeyKind[];
  return kinds.find((kind) => text.startsWith(`${keyPrefixes[kind]}_`));
}

function checksum(prefix: string, key: Uint8Array): Buffer {
  return createHash('sha256').update(prefix).update(key).digest().subarray(0, CHECK_BYTES);
}

function invalidKey(kind: KeyKind, text: string, where: string): HoldfastError {
  const shown = kind === 'recipient' || kind === 'verifying' ? ` ${JSON.stringify(text.slice(0, 80))}` : '';
  return new HoldfastError(
    'KEY_INVALID',
    `${where}: the ${nameOfKind[kind]}${shown} is not valid; allowed: ${keyPrefixes[kind]}_ and 48 characters ` +
      'with their checksum, as holdfast keygen prints it',
    { facts: { where, kind } },
  );
}

/** In words, for messages. */
export const nameOfKind: Readonly<Record<KeyKind, string>> = {
  recipient: 'recipient',
  identity: 'identity',
  symmetric: 'symmetric key',
  signing: 'signing key',
  verifying: 'verifying key',
};

// The DER of a raw X25519 key is a constant head and the key (RFC 8410).
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b656e032100', 'hex');

/** A secret X25519 key of 32 bytes. */
export function secretKey(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, raw]), format: 'der', type: 'pkcs8' });
}

/** A public X25519 key of 32 bytes. */
export function publicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
}

/** The 32 bytes of the public key of a secret one. */
export function publicBytes(secret: KeyObject): Buffer {
  const der = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return der.subarray(SPKI_HEAD.length);
}
