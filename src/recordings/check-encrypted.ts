import type { EncryptionFacts } from '../core/encryption-facts.js';
import { isHoldfastError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import type { Readable } from '../core/mcap/readable.js';
import { decryptedReadable, openEncrypted } from '../encryption/decrypted-readable.js';
import { noKeys, openDataKey, type Keyring } from '../encryption/keyring.js';
import { DigestingReadable } from './digesting-readable.js';
import type { Findings } from './findings.js';

/** Compares size and sums of an encrypted object with its manifest. True: they are the same. */
export async function checkEncrypted(
  where: string,
  readable: Readable,
  { file }: Manifest,
  findings: Findings,
  onBytes: (bytes: number) => void,
): Promise<boolean> {
  const bytes = Number(await readable.size());
  const { sha256, crc32 } = await new DigestingReadable(readable, undefined, onBytes).finish();
  findings.same(where, 'size', file.bytes, bytes);
  findings.same(where, 'sha256', file.sha256, sha256);
  findings.same(where, 'crc32', file.crc32, crc32);
  return file.bytes === bytes && file.sha256 === sha256;
}

/** The plaintext of an encrypted object, and how its manifest would describe that. */
export interface OpenedContent {
  readonly readable: Readable;
  fileOf(manifest: Manifest): Manifest['file'];
}

/** Undefined without an identity of it. Throws `CIPHERTEXT_CORRUPT`. */
export async function openContent(
  name: string,
  sealed: Readable,
  facts: EncryptionFacts,
  keyring: Keyring = noKeys,
): Promise<OpenedContent | undefined> {
  let dataKey: Buffer;
  try {
    dataKey = openDataKey(keyring, facts, name);
  } catch (error) {
    if (isHoldfastError(error, 'IDENTITY_MISSING')) return undefined;
    throw error;
  }
  const { sha256, plan } = await openEncrypted(sealed, dataKey, name);
  return {
    readable: decryptedReadable(sealed, dataKey, name),
    // The header has no CRC-32 of the plaintext: its SHA-256 is compared.
    fileOf: ({ file: { name: fileName, compression } }) => ({
      name: fileName,
      bytes: plan.plainBytes,
      sha256: sha256.toString('hex'),
      crc32: 0,
      compression,
    }),
  };
}
