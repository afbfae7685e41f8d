import { sealChunk } from './chunks.js';
import type { ContentKey } from './encrypted-content.js';
import { CHUNK_LOG2, encodeStreamHeader, payloadKey } from './header.js';

const CHUNK_BYTES = 2 ** CHUNK_LOG2;

/**
 * Encrypts a file of version 2 while its plaintext is made, in one pass. Holds one chunk: the last one has another
 * nonce, so a chunk is encrypted when more follows. The content key must be fresh: with the same key, a second plaintext
 * would uncover both.
 */
export class EncryptedStream {
  /** Bytes of the plaintext so far. */
  plainBytes = 0;
  /** The start of the file, until it was given. */
  #header: Buffer | undefined;
  readonly #key: Buffer;
  readonly #pending = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #held = 0;
  #next = 0;

  constructor({ dataKey, salt }: ContentKey) {
    this.#header = encodeStreamHeader(dataKey, salt);
    this.#key = payloadKey(dataKey, this.#header);
  }

  /** Takes the next bytes of the plaintext; returns the next ones of the file, perhaps none. */
  update(plain: Uint8Array): Buffer {
    const pieces = this.#begin();
    this.plainBytes += plain.byteLength;
    let at = 0;
    if (this.#held > 0) {
      at = Math.min(CHUNK_BYTES - this.#held, plain.byteLength);
      this.#hold(plain.subarray(0, at));
      if (at === plain.byteLength) return join(pieces);
      pieces.push(this.#seal(this.#pending, false));
      this.#held = 0;
    }
    for (; plain.byteLength - at > CHUNK_BYTES; at += CHUNK_BYTES) {
      pieces.push(this.#seal(plain.subarray(at, at + CHUNK_BYTES), false));
    }
    this.#hold(plain.subarray(at));
    return join(pieces);
  }

  /** The rest of the file. */
  finish(): Buffer {
    const pieces = this.#begin();
    pieces.push(this.#seal(this.#pending.subarray(0, this.#held), true));
    return join(pieces);
  }

  #begin(): Buffer[] {
    const header = this.#header;
    this.#header = undefined;
    return header ? [header] : [];
  }

  #hold(plain: Uint8Array): void {
    this.#pending.set(plain, this.#held);
    this.#held += plain.byteLength;
  }

  #seal(plain: Uint8Array, isLast: boolean): Buffer {
    return sealChunk(this.#key, this.#next++, isLast, plain);
  }
}

function join(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}
