import type { RandomBytes } from '../../core/identity.js';
import { HoldfastError } from '../../core/errors.js';
import { decrypt, derive, encrypt, NONCE_BYTES } from '../../encryption/derive.js';
import { newStoredKey, openStoredKey, type SymmetricKeys } from '../../encryption/stored-key.js';

/** First byte of an encrypted value. No message of protobuf begins with it: its wire type would be 7. */
const ENCRYPTED = 0xff;
/** That byte, and the number of the value (u64 BE), which is its nonce. */
const HEAD_BYTES = 9;
const NONE = Buffer.alloc(0);

/**
 * Encrypts the values of an outbox. Each run has a random key of its own, wrapped by the first symmetric key. The name of
 * a value is authenticated with it. Without keys, values are plain; plain values of earlier runs are always read.
 */
export class OutboxCipher {
  /** By the order of the run. */
  readonly #runs = new Map<number, Buffer>();
  #own: Buffer | undefined;
  #number = 0n;

  readonly #keys: SymmetricKeys;
  readonly #what: string;

  /** @param what - The outbox, for errors. */
  constructor(keys: SymmetricKeys, what: string) {
    this.#keys = keys;
    this.#what = what;
  }

  /** The stored key of an earlier run. Throws `IDENTITY_MISSING` or `CIPHERTEXT_CORRUPT`. */
  load(order: number, stored: Uint8Array): void {
    const dataKey = openStoredKey(Buffer.from(stored), this.#keys, this.#what);
    this.#runs.set(order, valueKey(dataKey));
  }

  /** A key for this run, in the form to be stored before its first value; undefined: values are plain. */
  begin(order: number, random: RandomBytes): Buffer | undefined {
    const [key] = this.#keys;
    if (!key) return undefined;
    const { dataKey, stored } = newStoredKey(key, random);
    this.#own = valueKey(dataKey);
    this.#runs.set(order, this.#own);
    return stored;
  }

  /** A value of this run as it is stored under a name. */
  seal(name: string, plain: Uint8Array): Uint8Array {
    if (!this.#own) return plain;
    const head = Buffer.alloc(HEAD_BYTES, ENCRYPTED);
    head.writeBigUInt64BE(++this.#number, 1);
    return Buffer.concat([head, encrypt(this.#own, nonceOf(head), plain, Buffer.from(name))]);
  }

  /** A value of the run of this order. Throws `CIPHERTEXT_CORRUPT` if it is not what was stored. */
  open(order: number, name: string, value: Uint8Array): Uint8Array {
    if (value[0] !== ENCRYPTED) return value;
    const key = this.#runs.get(order);
    const sealed = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const plain = key && decrypt(key, nonceOf(sealed), sealed.subarray(HEAD_BYTES), Buffer.from(name));
    if (plain) return plain;
    throw new HoldfastError('CIPHERTEXT_CORRUPT', `${this.#what}: the value ${name} is not what was stored`, {
      facts: { name },
    });
  }
}

function valueKey(dataKey: Uint8Array): Buffer {
  return derive(dataKey, NONE, 'outbox');
}

function nonceOf(head: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(NONCE_BYTES - 8), head.subarray(1, HEAD_BYTES)]);
}
