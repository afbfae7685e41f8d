import { createHash } from 'node:crypto';
import type { Manifest } from '../../src/core/manifest.js';
import type { Readable } from '../../src/core/mcap/readable.js';
import { decryptedReadable } from '../../src/encryption/decrypted-readable.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { openDataKey } from '../../src/encryption/keyring.js';
import type { WalKeys } from '../../src/wal/segment-cipher.js';
import { recipientOf, type Identity, type Recipient } from '../../src/encryption/wrapped-key.js';

/** The same in every process of the tests, and no secret. */
const secretKey = createHash('sha256').update('an identity of the tests').digest();
export const testIdentity: Identity = { kind: 'x25519', secretKey };

/** Its text, as a key file has it. */
export const testIdentityText: string = encodeKey('identity', secretKey);

/** Who reads with {@link testIdentity}. */
export const testRecipient: Recipient = recipientOf(testIdentity);

/** Its text, as parameters have it. */
export const testRecipientText: string = encodeKey(
  'recipient',
  testRecipient.kind === 'x25519' ? testRecipient.publicKey : testRecipient.key,
);

/** Keys of the WAL, the same in every process of the tests, and no secret. */
export const testWalKeys: WalKeys = [createHash('sha256').update('a key of the WAL in the tests').digest()];

/** A segment as {@link testIdentity} reads it; a plain one as it is. */
export function openedSegment(readable: Readable, { encryption }: Manifest, name: string): Readable {
  if (!encryption) return readable;
  return decryptedReadable(readable, openDataKey({ identities: [testIdentity] }, encryption, name), name);
}
