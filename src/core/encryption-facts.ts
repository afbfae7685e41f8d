/** A data key, encrypted for one recipient. docs/encryption.md has the bytes. */
export type WrappedKey =
  | {
      readonly type: 'X25519';
      /** The public key of the recipient. */
      readonly recipient: string;
      /** Base64 of the 32 bytes of an ephemeral public key. */
      readonly ephemeral: string;
      /** Base64 of 48 bytes. */
      readonly wrapped: string;
    }
  | {
      readonly type: 'symmetric';
      /** The name of the key. */
      readonly recipient: string;
      /** Base64 of 16 bytes. */
      readonly salt: string;
      /** Base64 of 48 bytes. */
      readonly wrapped: string;
    };

/** What a manifest says about an encrypted object; `file` then describes the ciphertext. */
export interface EncryptionFacts {
  /** Of the encrypted file: 2 if it was encrypted when its segment was sealed. */
  readonly version: 1 | 2;
  /** 32 hex digits that name the data key. */
  readonly keyId: string;
  /** Size of the plaintext. */
  readonly plainBytes: number;
  /** One for each recipient. A rotation changes these and nothing else. */
  readonly keys: readonly WrappedKey[];
}
