import { defined } from '../core/defined.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import type { Readable } from '../core/mcap/readable.js';
import { decryptedReadable, openEncrypted } from '../encryption/decrypted-readable.js';
import { openDataKey, type Keyring } from '../encryption/keyring.js';
import { DigestingReadable } from './digesting-readable.js';
import type { Findings } from './findings.js';

/** `closed`: its sums are right, and no identity opens it. */
export type EncryptedContent =
  | { readonly state: 'open'; readonly readable: Readable; readonly manifest: Manifest }
  | { readonly state: 'closed' | 'damaged' };

interface CheckPorts {
  readonly findings: Findings;
  readonly keyring: Keyring;
  readonly onBytes: (bytes: number) => void;
}

/**
 * Compares size and sums of an encrypted object with its manifest. If they are right and an identity opens it, gives
 * the plaintext, and the manifest as it would describe that. Throws retryable errors of the store.
 */
export async function readEncrypted(
  where: string,
  readable: Readable,
  manifest: Manifest,
  { findings, keyring, onBytes }: CheckPorts,
): Promise<EncryptedContent> {
  try {
    const { file } = manifest;
    const bytes = Number(await readable.size());
    const { sha256, crc32 } = await new DigestingReadable(readable, undefined, onBytes).finish();
    findings.same(where, 'size', file.bytes, bytes);
    findings.same(where, 'sha256', file.sha256, sha256);
    findings.same(where, 'crc32', file.crc32, crc32);
    if (file.bytes !== bytes || file.sha256 !== sha256) return { state: 'damaged' };
    return await open(where, readable, manifest, keyring);
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    if (error.code === 'IDENTITY_MISSING') return { state: 'closed' };
    findings.add('error', where, 'segment', 'readable', describeError(error));
    return { state: 'damaged' };
  }
}

async function open(
  where: string,
  sealed: Readable,
  manifest: Manifest,
  keyring: Keyring,
): Promise<EncryptedContent> {
  const { file, encryption } = manifest;
  if (encryption === undefined) return { state: 'closed' };
  const dataKey = openDataKey(keyring, encryption, where);
  const { sha256, plan } = await openEncrypted(sealed, dataKey, where);
  const { name, compression } = file;
  // No header has a CRC-32 of the plaintext: no reader looks at this one. If it has a SHA-256, that is compared.
  const sums = { bytes: plan.plainBytes, ...defined({ sha256: sha256?.toString('hex') }), crc32: 0 };
  const plain = { name, ...sums, compression };
  const readable = decryptedReadable(sealed, dataKey, where);
  return { state: 'open', readable, manifest: { ...manifest, file: plain } };
}
