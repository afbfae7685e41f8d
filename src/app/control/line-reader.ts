/** Cuts a byte stream into lines of bounded length. */
export class LineReader {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The complete lines so far, or `undefined` if one exceeds the limit: then the stream is useless. */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      if (this.#pendingBytes + end - start > this.#maxBytes) return undefined;
      lines.push(Buffer.concat([...this.#pending, chunk.subarray(start, end)]).toString('utf8'));
      this.#pending = [];
      this.#pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) this.#pending.push(chunk.subarray(start));
    this.#pendingBytes += chunk.length - start;
    return this.#pendingBytes > this.#maxBytes ? undefined : lines;
  }
}
