import { createHash } from 'node:crypto';
import { HoldfastError } from '../core/errors.js';
import { EncryptedContent } from '../encryption/encrypted-content.js';
import { BLOCK_BYTES, BLOCK_DIGEST_BYTES, type ContentRecord, type Sums } from './content-record.js';
import type { SegmentSource } from './segment-source.js';

/** The first bytes of the SHA-256 of a block. */
export function blockDigest(block: Uint8Array): Buffer {
  return createHash('sha256').update(block).digest().subarray(0, BLOCK_DIGEST_BYTES);
}

/** Reads a plaintext by blocks; each block passes `check` before a byte of it is given. */
export class BlockReader {
  readonly #source: SegmentSource;
  readonly #check: (block: Buffer, index: number) => void;
  readonly #block: Buffer;
  #left: number;
  #index = 0;
  #ready: Buffer = Buffer.alloc(0);

  constructor(source: SegmentSource, bytes: number, check: (block: Buffer, index: number) => void) {
    this.#source = source;
    this.#check = check;
    this.#left = bytes;
    this.#block = Buffer.allocUnsafe(Math.min(bytes, BLOCK_BYTES));
  }

  async read(target: Buffer): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      if (this.#ready.length === 0) {
        const block = this.#block.subarray(0, Math.min(this.#left, BLOCK_BYTES));
        await this.#source.read(block);
        this.#check(block, this.#index++);
        this.#left -= block.length;
        this.#ready = block;
      }
      const copied = this.#ready.copy(target, filled);
      this.#ready = this.#ready.subarray(copied);
      filled += copied;
    }
  }
}

/**
 * The encrypted bytes of a sealed file. A block whose digest is another than when the record was made is refused before
 * it is encrypted: with the same key and nonce, a second plaintext would uncover both.
 */
export class EncryptedSource implements SegmentSource {
  readonly #plain: SegmentSource;
  readonly #content: EncryptedContent;

  constructor(plain: SegmentSource, record: ContentRecord, name: string) {
    this.#plain = plain;
    const digests = Buffer.from(record.blocks, 'base64');
    const blocks = new BlockReader(plain, record.plain.bytes, (block, index) => {
      const at = index * BLOCK_DIGEST_BYTES;
      if (!digests.subarray(at, at + BLOCK_DIGEST_BYTES).equals(blockDigest(block))) {
        throw new HoldfastError('SEGMENT_CORRUPT', `${name} has changed since it was first encrypted`, {
          facts: { name, block: index },
        });
      }
    });
    this.#content = new EncryptedContent(keyOf(record), digestOf(record.plain), (target) =>
      blocks.read(target),
    );
  }

  read(target: Buffer): Promise<void> {
    return this.#content.read(target);
  }

  finish(): string {
    return this.#plain.finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#plain[Symbol.asyncDispose]() as Promise<void>;
  }
}

function keyOf({ dataKey, salt }: ContentRecord): { readonly dataKey: Buffer; readonly salt: Buffer } {
  return { dataKey: Buffer.from(dataKey, 'base64'), salt: Buffer.from(salt, 'base64') };
}

/** As the header of the encrypted file has it. */
export function digestOf({ bytes, sha256 }: Sums): { readonly bytes: number; readonly sha256: Buffer } {
  return { bytes, sha256: Buffer.from(sha256, 'hex') };
}
