import { crc32 } from '@node-rs/crc32';
import { HoldfastError } from '../core/errors.js';
import { decrypt, derive, encrypt, TAG_BYTES, ZERO_NONCE } from './derive.js';
import { damaged, KEY_ID_BYTES, keyIdOf } from './header.js';
import { KEY_BYTES } from './key-text.js';
import { recipientName, type RandomBytes } from './wrapped-key.js';

/*
 * A data key beside what it encrypts on this machine, wrapped by a symmetric key. Little endian:
 *
 *    0   4  magic 'HFWK'
 *    4   1  version, 1
 *    5   8  name of the symmetric key: derive(key, empty, "key name")
 *   13  16  key id of the data key: derive(data key, empty, "key id")
 *   29  16  salt
 *   45  48  data key and tag: key derive(symmetric key, salt, "wrap symmetric", key id), nonce of 12 zero bytes
 *   93   4  CRC-32 of bytes 0 to 92
 */

/** Keys of 32 bytes: the first one wraps new data keys, all of them unwrap. Empty: nothing is encrypted. */
export type SymmetricKeys = readonly Uint8Array[];

/** Bytes of a stored key. */
export const STORED_KEY_BYTES = 97;
const MAGIC = Buffer.from('HFWK', 'latin1');
const VERSION = 1;
const NAME_AT = 5;
const NAME_BYTES = 8;
const NAME_PREFIX = 'key:';
const SALT_BYTES = 16;
const CRC_AT = STORED_KEY_BYTES - 4;

/** A new data key, and its form to be stored. */
export function newStoredKey(key: Uint8Array, random: RandomBytes): { dataKey: Uint8Array; stored: Buffer } {
  const dataKey = random(KEY_BYTES);
  const salt = random(SALT_BYTES);
  const keyId = keyIdOf(dataKey);
  const wrapped = encrypt(derive(key, salt, 'wrap symmetric', keyId), ZERO_NONCE, dataKey);
  const name = Buffer.from(symmetricKeyName(key).slice(NAME_PREFIX.length), 'hex');
  const stored = Buffer.concat([MAGIC, Buffer.of(VERSION), name, keyId, salt, wrapped, Buffer.alloc(4)]);
  stored.writeUInt32LE(crc32(stored.subarray(0, CRC_AT)), CRC_AT);
  return { dataKey, stored };
}

/**
 * The data key. Throws `IDENTITY_MISSING` if it is wrapped by none of the keys, and `CIPHERTEXT_CORRUPT` if it is
 * damaged.
 *
 * @param what - What it encrypts, for errors.
 */
export function openStoredKey(stored: Buffer, keys: SymmetricKeys, what: string): Buffer {
  const name = storedKeyName(stored, what);
  let at = NAME_AT + NAME_BYTES;
  const take = (bytes: number): Buffer => stored.subarray(at, (at += bytes));
  const [keyId, salt, wrapped] = [take(KEY_ID_BYTES), take(SALT_BYTES), take(KEY_BYTES + TAG_BYTES)];
  const key = keys.find((one) => symmetricKeyName(one) === name);
  if (!key) throw missing(what, name, keys);
  const dataKey = decrypt(derive(key, salt, 'wrap symmetric', keyId), ZERO_NONCE, wrapped);
  if (!dataKey || !keyIdOf(dataKey).equals(keyId)) throw damaged(what, 'its wrapped key is damaged', {});
  return dataKey;
}

/**
 * The name of the symmetric key that wraps a data key: `key:` and 16 hex digits. Needs no key. Throws
 * `CIPHERTEXT_CORRUPT` if the stored key is damaged.
 *
 * @param what - What it encrypts, for errors.
 */
export function storedKeyName(stored: Buffer, what: string): string {
  const whole = stored.length === STORED_KEY_BYTES && stored.subarray(0, 4).equals(MAGIC);
  if (!whole || crc32(stored.subarray(0, CRC_AT)) !== stored.readUInt32LE(CRC_AT)) {
    const allowed = `allowed: ${STORED_KEY_BYTES} with their CRC`;
    throw damaged(what, `${stored.length} bytes are not a wrapped key, ${allowed}`, {});
  }
  if (stored[4] !== VERSION)
    throw damaged(what, `wrapped key of version ${stored[4]}, known: ${VERSION}`, {});
  return `${NAME_PREFIX}${stored.subarray(NAME_AT, NAME_AT + NAME_BYTES).toString('hex')}`;
}

/** The public name of a symmetric key: `key:` and 16 hex digits. */
export function symmetricKeyName(key: Uint8Array): string {
  return recipientName({ kind: 'symmetric', key });
}

function missing(what: string, name: string, keys: SymmetricKeys): HoldfastError {
  const given = keys.map(symmetricKeyName);
  return new HoldfastError(
    'IDENTITY_MISSING',
    `${what} is encrypted with ${name}; given: ${given.length === 0 ? 'no key' : given.join(', ')}. ` +
      'Allowed: a file in encryption.at_rest_key that has this key on any of its lines, or another data folder',
    { facts: { what, key: name, given } },
  );
}
