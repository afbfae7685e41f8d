import type { Readable } from 'node:stream';
import { FRAME_MAX_BYTES } from './process-frames.js';

const SIZE_BYTES = 4;

/** Frames of a stream, read when they are asked for: all others stay in the pipe. */
export class FrameStream {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #maxBytes: number;
  #buffered: Buffer[] = [];
  #bytes = 0;
  #total = 0;

  /** @param maxBytes - Of the whole stream. */
  constructor(stream: Readable, maxBytes: number) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#maxBytes = maxBytes;
  }

  /** Type and body of the next frame; undefined at the end. Throws an Error if a frame or the stream is too long, or cut. */
  async next(): Promise<Buffer | undefined> {
    if (!(await this.#fill(SIZE_BYTES))) {
      if (this.#bytes > 0) throw new Error(`output ended after ${this.#bytes} bytes of a frame`);
      return undefined;
    }
    const size = this.#take(SIZE_BYTES).readUInt32LE();
    if (size === 0 || size > FRAME_MAX_BYTES) {
      throw new Error(`frame of ${size} bytes; allowed: 1 to ${FRAME_MAX_BYTES}`);
    }
    if (!(await this.#fill(size))) {
      throw new Error(`output ended after ${this.#bytes} of the ${size} bytes of a frame`);
    }
    return this.#take(size);
  }

  /** False: the stream ends before. */
  async #fill(bytes: number): Promise<boolean> {
    while (this.#bytes < bytes) {
      const step = await this.#chunks.next();
      if (step.done === true) return false;
      this.#total += step.value.byteLength;
      if (this.#total > this.#maxBytes) {
        throw new Error(`output of more than ${this.#maxBytes} bytes for one segment (output=)`);
      }
      this.#bytes += step.value.byteLength;
      this.#buffered.push(step.value);
    }
    return true;
  }

  #take(bytes: number): Buffer {
    const all = this.#buffered.length === 1 ? this.#buffered[0]! : Buffer.concat(this.#buffered, this.#bytes);
    this.#buffered = all.byteLength > bytes ? [all.subarray(bytes)] : [];
    this.#bytes -= bytes;
    return all.subarray(0, bytes);
  }
}
