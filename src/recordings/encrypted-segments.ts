import type { EncryptionFacts } from '../core/encryption-facts.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import { decodeManifest, manifestKey } from '../core/manifest.js';
import type { Readable } from '../core/mcap/readable.js';
import { decryptedReadable } from '../encryption/decrypted-readable.js';
import { noKeys, openDataKey, type Keyring } from '../encryption/keyring.js';
import type { FilePool } from './file-readable.js';
import type { Problem, Segment } from './segment.js';

/** Puts decryption below the readers of a listing, and tells what cannot be opened. */
export class EncryptedSegments {
  readonly #keyring: Keyring;
  readonly #onProblem: (problem: Problem) => void;
  readonly #missing: HoldfastError[] = [];

  constructor({
    keyring,
    onProblem,
  }: {
    readonly keyring?: Keyring;
    readonly onProblem: (problem: Problem) => void;
  }) {
    this.#keyring = keyring ?? noKeys;
    this.#onProblem = onProblem;
  }

  /** The segment as it can be read; undefined if no identity opens it. */
  open(segment: Segment, facts: EncryptionFacts | undefined): Segment | undefined {
    if (facts === undefined) return segment;
    try {
      return decrypted(segment, facts, this.#keyring);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      if (error.code === 'IDENTITY_MISSING') this.#missing.push(error);
      else this.#onProblem({ where: segment.name, reason: error.message });
      return undefined;
    }
  }

  /** After the last one. Throws `IDENTITY_MISSING` if nothing but such segments was found. */
  finish(readable: number): void {
    const [first] = this.#missing;
    if (first && readable === 0) throw first;
    for (const { facts, message } of this.#missing) {
      this.#onProblem({ where: String(facts['name']), reason: message });
    }
  }
}

/** An encrypted file with its manifest beside it. Throws `IDENTITY_MISSING`, `SOURCE_UNREADABLE`. */
export async function openEncryptedFile(
  segment: Segment,
  { fs }: FilePool,
  keyring: Keyring = noKeys,
): Promise<Segment> {
  const path = manifestKey(segment.name);
  const { encryption } = decodeManifest(await fs.readFile(path, 'utf8'), path);
  if (encryption) return decrypted(segment, encryption, keyring);
  throw new HoldfastError('SOURCE_UNREADABLE', `the manifest ${path} is not that of an encrypted file`, {
    facts: { path },
  });
}

function decrypted(segment: Segment, facts: EncryptionFacts, keyring: Keyring): Segment {
  const dataKey = openDataKey(keyring, facts, segment.name);
  const { name } = segment;
  const readable = (): Readable => decryptedReadable(segment.readable(), dataKey, name);
  return { ...segment, bytes: facts.plainBytes, readable };
}
