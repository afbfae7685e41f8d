import { sealChunkInto } from './chunks.js';
import { TAG_BYTES } from './derive.js';
import type { ContentKey } from './encrypted-content.js';
import { CHUNK_LOG2, encodeStreamHeader, payloadKey, STREAM_HEADER_BYTES } from './header.js';

const CHUNK_BYTES = 2 ** CHUNK_LOG2;
/** Plaintext of one call, at most: the memory for its ciphertext is kept. */
export const PIECE_BYTES = 2 ** 18;
/** The chunks that one piece can complete, the one that is held included. */
const OUTPUT_BYTES = STREAM_HEADER_BYTES + (PIECE_BYTES / CHUNK_BYTES + 1) * (CHUNK_BYTES + TAG_BYTES);

/**
 * Encrypts a file of version 2 while its plaintext is made, in one pass. Holds one chunk: the last one has another
 * nonce, so a chunk is encrypted when more follows. The content key must be fresh: with the same key, a second plaintext
 * would uncover both.
 */
export class EncryptedStream {
  /** Bytes of the plaintext so far. */
  plainBytes = 0;
  readonly #key: Buffer;
  readonly #pending = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #held = 0;
  #next = 0;
  /** Each call writes its part of the file here: the bytes are moved once, and no memory is taken for them. */
  #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  /** What the last call gave. */
  #given = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #filled: number;

  constructor({ dataKey, salt }: ContentKey) {
    const header = encodeStreamHeader(dataKey, salt);
    this.#key = payloadKey(dataKey, header);
    this.#filled = header.copy(this.#output);
  }

  /**
   * Takes the next bytes of the plaintext, at most {@link PIECE_BYTES}. Returns the next ones of the file, perhaps none:
   * they are valid until the call after the next, so that they can be written while the next ones are encrypted.
   */
  update(plain: Uint8Array): Buffer {
    if (plain.byteLength > PIECE_BYTES) throw new RangeError(`a piece of ${plain.byteLength} bytes`);
    this.plainBytes += plain.byteLength;
    let at = 0;
    if (this.#held > 0) {
      at = Math.min(CHUNK_BYTES - this.#held, plain.byteLength);
      this.#hold(plain.subarray(0, at));
      if (at === plain.byteLength) return this.#take();
      this.#seal(this.#pending, false);
      this.#held = 0;
    }
    for (; plain.byteLength - at > CHUNK_BYTES; at += CHUNK_BYTES) {
      this.#seal(plain.subarray(at, at + CHUNK_BYTES), false);
    }
    this.#hold(plain.subarray(at));
    return this.#take();
  }

  /** The rest of the file. */
  finish(): Buffer {
    this.#seal(this.#pending.subarray(0, this.#held), true);
    return this.#take();
  }

  #hold(plain: Uint8Array): void {
    this.#pending.set(plain, this.#held);
    this.#held += plain.byteLength;
  }

  #seal(plain: Uint8Array, isLast: boolean): void {
    this.#filled += sealChunkInto(this.#key, this.#next++, isLast, plain, this.#output, this.#filled);
  }

  #take(): Buffer {
    const taken = this.#output.subarray(0, this.#filled);
    [this.#output, this.#given] = [this.#given, this.#output];
    this.#filled = 0;
    return taken;
  }
}
