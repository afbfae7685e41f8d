import type { Manifest } from '../core/manifest.js';
import { factsOf } from '../encryption/encrypted-content.js';
import { openDataKey, type Keyring } from '../encryption/keyring.js';
import { recipientName, type RandomBytes, type Recipient } from '../encryption/wrapped-key.js';
import type { Problem } from './segment.js';

/** What a rotation needs. */
export interface RewrapPorts {
  readonly random: RandomBytes;
  /** Identities that open what is there now. */
  readonly keyring: Keyring;
  /** Who can read afterwards; nobody else can. */
  readonly recipients: readonly Recipient[];
  /** Only count what would be replaced. */
  readonly dryRun: boolean;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress?: (done: number) => void;
  readonly signal: AbortSignal;
}

/** Numbers of manifests. */
export interface RewrapReport {
  /** Replaced, or with `dryRun` to be replaced. */
  readonly rewrapped: number;
  /** They have exactly these recipients. */
  readonly unchanged: number;
  /** Of objects that are not encrypted, and tombstones. */
  readonly plain: number;
  /** No identity opens them, or they cannot be read. */
  readonly failed: number;
}

/**
 * The manifest with its data key wrapped for the recipients, or why it stays as it is. Throws `IDENTITY_MISSING`,
 * `CIPHERTEXT_CORRUPT`.
 */
export function rotateKeys(
  manifest: Manifest,
  { keyring, recipients, random }: RewrapPorts,
  name: string,
): Manifest | 'plain' | 'unchanged' {
  const { encryption } = manifest;
  if (encryption === undefined) return 'plain';
  const now = encryption.keys.map(({ recipient }) => recipient).sort();
  const wanted = recipients.map(recipientName).sort();
  if (now.join(' ') === wanted.join(' ')) return 'unchanged';
  const dataKey = openDataKey(keyring, encryption, name);
  const { plainBytes, version } = encryption;
  return { ...manifest, encryption: factsOf({ dataKey }, plainBytes, recipients, random, version) };
}
