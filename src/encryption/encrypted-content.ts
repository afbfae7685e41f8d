import type { EncryptionFacts } from '../core/encryption-facts.js';
import { planChunks, plainChunkBytes, sealChunk, type ChunkPlan } from './chunks.js';
import { CHUNK_LOG2, encodeHeader, encryptedBytes, keyIdOf, payloadKey, type PlainDigest } from './header.js';
import { wrapKey, type RandomBytes, type Recipient } from './wrapped-key.js';

/** The secret and the salt of one encrypted file. Together with the plaintext they decide every byte of it. */
export interface ContentKey {
  readonly dataKey: Uint8Array;
  readonly salt: Uint8Array;
}

/** A fresh one. */
export function newContentKey(random: RandomBytes): ContentKey {
  return { dataKey: random(32), salt: random(32) };
}

/** Fills the buffer with the next bytes of the plaintext. */
export type ReadPlain = (target: Buffer) => Promise<void>;

/**
 * The bytes of an encrypted file from front to back, made from those of its plaintext. The same key and plaintext give
 * the same bytes at any time, so an interrupted upload continues with them. The caller makes sure that the plaintext is
 * the one of the digest: see {@link PlainDigest}.
 */
export class EncryptedContent {
  /** Size of the encrypted file. */
  readonly bytes: number;
  readonly #plan: ChunkPlan;
  readonly #key: Buffer;
  readonly #readPlain: ReadPlain;
  #ready: Buffer;
  #next = 0;

  constructor({ dataKey, salt }: ContentKey, plain: PlainDigest, readPlain: ReadPlain) {
    const header = encodeHeader(dataKey, salt, plain);
    this.#plan = planChunks(plain.bytes, 2 ** CHUNK_LOG2);
    this.bytes = encryptedBytes(plain.bytes, this.#plan.chunkBytes);
    this.#key = payloadKey(dataKey, header);
    this.#ready = header;
    this.#readPlain = readPlain;
  }

  /** Fills `target` with the next bytes; the caller asks for no more than there are. */
  async read(target: Buffer): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      if (this.#ready.length === 0) this.#ready = await this.#nextChunk();
      const copied = this.#ready.copy(target, filled);
      this.#ready = this.#ready.subarray(copied);
      filled += copied;
    }
  }

  async #nextChunk(): Promise<Buffer> {
    const index = this.#next++;
    if (index >= this.#plan.count) throw new RangeError('read beyond the end of an encrypted file');
    const plain = Buffer.allocUnsafe(plainChunkBytes(this.#plan, index));
    await this.#readPlain(plain);
    return sealChunk(this.#key, index, index === this.#plan.count - 1, plain);
  }
}

/**
 * What the manifest says about an encrypted file.
 *
 * @param version - Of the file; default: 1.
 */
export function factsOf(
  { dataKey }: Pick<ContentKey, 'dataKey'>,
  plainBytes: number,
  recipients: readonly Recipient[],
  random: RandomBytes,
  version: EncryptionFacts['version'] = 1,
): EncryptionFacts {
  return {
    version,
    keyId: keyIdOf(dataKey).toString('hex'),
    plainBytes,
    keys: recipients.map((recipient) => wrapKey(dataKey, recipient, random)),
  };
}
