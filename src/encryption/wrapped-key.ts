import { createHash, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { WrappedKey } from '../core/encryption-facts.js';
import { decrypt, derive, encrypt, ZERO_NONCE } from './derive.js';
import { keyIdOf } from './header.js';
import { encodeKey, publicBytes, publicKey, secretKey } from './key-text.js';

/** Who can read: a public key, or a symmetric key that both sides have. */
export type Recipient =
  | { readonly kind: 'x25519'; readonly publicKey: Uint8Array }
  | { readonly kind: 'symmetric'; readonly key: Uint8Array };

/** What can unwrap data keys. */
export type Identity =
  | { readonly kind: 'x25519'; readonly secretKey: Uint8Array }
  | { readonly kind: 'symmetric'; readonly key: Uint8Array };

/** Random bytes; the module `node:crypto` outside of tests. */
export type RandomBytes = (count: number) => Uint8Array;

const SALT_BYTES = 16;

/** The public name of a recipient, as manifests have it. Of a symmetric key it tells nothing but its name. */
export function recipientName(recipient: Recipient): string {
  if (recipient.kind === 'x25519') return encodeKey('recipient', recipient.publicKey);
  const name = derive(recipient.key, Buffer.alloc(0), 'key name', undefined, 8);
  return `key:${name.toString('hex')}`;
}

/** The recipient whose data keys an identity unwraps. */
export function recipientOf(identity: Identity): Recipient {
  if (identity.kind === 'symmetric') return identity;
  return { kind: 'x25519', publicKey: publicBytes(secretKey(identity.secretKey)) };
}

/** Wraps a data key for one recipient. Each call uses a fresh ephemeral key or salt. */
export function wrapKey(dataKey: Uint8Array, recipient: Recipient, random: RandomBytes): WrappedKey {
  const name = recipientName(recipient);
  const keyId = keyIdOf(dataKey);
  if (recipient.kind === 'symmetric') {
    const salt = Buffer.from(random(SALT_BYTES));
    const key = derive(recipient.key, salt, 'wrap symmetric', keyId);
    return { type: 'symmetric', recipient: name, salt: base64(salt), wrapped: sealKey(key, dataKey) };
  }
  const ephemeral = ephemeralKey(random);
  const shared = agree(ephemeral, recipient.publicKey);
  const ours = publicBytes(ephemeral);
  const key = derive(shared, Buffer.concat([ours, recipient.publicKey]), 'wrap X25519', keyId);
  return { type: 'X25519', recipient: name, ephemeral: base64(ours), wrapped: sealKey(key, dataKey) };
}

/** The data key; undefined if this key was wrapped for another recipient, or is damaged. */
export function unwrapKey(wrapped: WrappedKey, identity: Identity, keyId: Uint8Array): Buffer | undefined {
  if (wrapped.recipient !== recipientName(recipientOf(identity))) return undefined;
  const key = wrappingKey(wrapped, identity, keyId);
  const dataKey = key && decrypt(key, ZERO_NONCE, Buffer.from(wrapped.wrapped, 'base64'));
  return dataKey && keyIdOf(dataKey).equals(keyId) ? dataKey : undefined;
}

function wrappingKey(wrapped: WrappedKey, identity: Identity, keyId: Uint8Array): Buffer | undefined {
  if (wrapped.type === 'symmetric') {
    if (identity.kind !== 'symmetric') return undefined;
    return derive(identity.key, Buffer.from(wrapped.salt, 'base64'), 'wrap symmetric', keyId);
  }
  if (identity.kind !== 'x25519') return undefined;
  const theirs = Buffer.from(wrapped.ephemeral, 'base64');
  const secret = secretKey(identity.secretKey);
  try {
    const shared = agree(secret, theirs);
    return derive(shared, Buffer.concat([theirs, publicBytes(secret)]), 'wrap X25519', keyId);
  } catch {
    // Not a point that gives a secret.
    return undefined;
  }
}

/** Throws if the other key gives no secret (a point of low order). */
function agree(own: KeyObject, other: Uint8Array): Buffer {
  return diffieHellman({ privateKey: own, publicKey: publicKey(other) });
}

function sealKey(key: Uint8Array, dataKey: Uint8Array): string {
  return base64(encrypt(key, ZERO_NONCE, dataKey));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** From 32 random bytes, so that a test can give them. */
function ephemeralKey(random: RandomBytes): KeyObject {
  return secretKey(random(32));
}

/** A new identity. */
export function newIdentity(): Identity {
  const { privateKey } = generateKeyPairSync('x25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  return { kind: 'x25519', secretKey: der.subarray(der.length - 32) };
}

/** One text for a set of recipients, in any order. */
export function recipientsName(recipients: readonly Recipient[]): string {
  const names = recipients.map(recipientName).sort().join(' ');
  return createHash('sha256').update(names).digest('hex').slice(0, 32);
}
