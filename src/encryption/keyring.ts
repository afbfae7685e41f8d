import type { EncryptionFacts } from '../core/encryption-facts.js';
import { HoldfastError } from '../core/errors.js';
import { damaged } from './header.js';
import { decodeKey, kindOfKey } from './key-text.js';
import { recipientName, recipientOf, unwrapKey, type Identity, type Recipient } from './wrapped-key.js';

/** The identities of a reader. */
export interface Keyring {
  readonly identities: readonly Identity[];
}

/** A reader without identities. */
export const noKeys: Keyring = { identities: [] };

/**
 * Reads the identities of a key file: one a line; empty lines and lines with `#` are skipped. Throws `KEY_INVALID`.
 *
 * @param where - Its path, for errors.
 */
export function parseIdentities(text: string, where: string): Identity[] {
  const identities = keyLines(text).map((line): Identity => {
    if (kindOfKey(line) === 'symmetric')
      return { kind: 'symmetric', key: decodeKey('symmetric', line, where) };
    if (kindOfKey(line) === 'recipient') {
      throw invalid(
        where,
        'holds a recipient, which can only encrypt; allowed: the identity that belongs to it',
      );
    }
    return { kind: 'x25519', secretKey: decodeKey('identity', line, where) };
  });
  if (identities.length === 0)
    throw invalid(where, 'holds no key; allowed: a file that holdfast keygen wrote');
  return identities;
}

/** A keyring of the texts of key files. Throws `KEY_INVALID`. */
export function keyringOf(texts: readonly string[] = []): Keyring {
  return { identities: texts.flatMap((text, index) => parseIdentities(text, `identities[${index}]`)) };
}

/**
 * One recipient: its text `hfpub1_...`, or the text of a symmetric key. Throws `KEY_INVALID`, also for an identity: a
 * secret key does not belong on a robot.
 */
export function parseRecipient(text: string, where: string): Recipient {
  if (kindOfKey(text) === 'symmetric') return { kind: 'symmetric', key: decodeKey('symmetric', text, where) };
  if (kindOfKey(text) === 'identity') {
    throw invalid(where, 'holds an identity; allowed: the recipient that holdfast keygen prints for it');
  }
  return { kind: 'x25519', publicKey: decodeKey('recipient', text, where) };
}

/** The lines of a key file. */
export function keyLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * The data key of an encrypted object. Throws `IDENTITY_MISSING` with the recipients if no identity is one of them, and
 * `CIPHERTEXT_CORRUPT` if the wrapped key is damaged.
 */
export function openDataKey(keyring: Keyring, { keyId, keys }: EncryptionFacts, name: string): Buffer {
  const own = new Set(keyring.identities.map((identity) => recipientName(recipientOf(identity))));
  const fitting = keys.filter(({ recipient }) => own.has(recipient));
  for (const wrapped of fitting) {
    for (const identity of keyring.identities) {
      const dataKey = unwrapKey(wrapped, identity, Buffer.from(keyId, 'hex'));
      if (dataKey) return dataKey;
    }
  }
  const recipients = keys.map(({ recipient }) => recipient);
  if (fitting.length > 0) throw damaged(name, 'its wrapped key is damaged', { recipients });
  const given = own.size === 0 ? 'none was given' : `given: ${[...own].join(', ')}`;
  throw new HoldfastError(
    'IDENTITY_MISSING',
    `${name} is encrypted for ${recipients.join(', ')}; ${given}. Give the key file of one of them with --identity`,
    { facts: { name, recipients, given: [...own] } },
  );
}

function invalid(where: string, what: string): HoldfastError {
  return new HoldfastError('KEY_INVALID', `${where} ${what}`, { facts: { where } });
}
