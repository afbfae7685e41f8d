import type { EncryptionFacts } from '../core/encryption-facts.js';
import { isHoldfastError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import { openDataKey, parseRecipient, type Keyring } from '../encryption/keyring.js';
import { recipientName, recipientOf, type Recipient } from '../encryption/wrapped-key.js';

/**
 * Why a part of a segment cannot be removed with these identities; undefined: it can. The rest is encrypted for the
 * same recipients, so each of them must be known: the manifest has public keys, and only the name of a symmetric key.
 */
export function partRefusal({ encryption, file }: Manifest, keyring: Keyring): string | undefined {
  if (encryption === undefined) return undefined;
  try {
    openDataKey(keyring, encryption, file.name);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return `only a part of it would go, and it must be decrypted for that: ${error.message}`;
  }
  const missing = encryption.keys.find(({ recipient }) => recipientNamed(recipient, keyring) === undefined);
  if (missing === undefined) return undefined;
  return (
    `only a part of it would go, and the rest must stay readable with ${missing.recipient}: ` +
    'give this key with --identity too'
  );
}

/** The recipients of an encrypted segment, as far as they are known: see {@link partRefusal}. */
export function knownRecipients({ keys }: EncryptionFacts, keyring: Keyring): Recipient[] {
  return keys.flatMap(({ recipient }) => recipientNamed(recipient, keyring) ?? []);
}

function recipientNamed(name: string, { identities }: Keyring): Recipient | undefined {
  const own = identities.map(recipientOf).find((recipient) => recipientName(recipient) === name);
  if (own !== undefined || name.startsWith('key:')) return own;
  return parseRecipient(name, 'a manifest');
}
