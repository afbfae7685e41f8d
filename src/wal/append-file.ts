import type { FileHandle } from '../core/file-system.js';

/** A file that is only appended to, and that knows how much of it an fsync covers. */
export class AppendFile {
  /** Everything written. */
  bytes = 0;
  #syncedBytes = 0;

  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Writes all bytes. Do not append again after a failure. Throws the error of the disk. */
  async append(pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    let rest = pieces;
    for (let left = bytes; left > 0;) {
      const { bytesWritten } = await this.#handle.writev(rest);
      left -= bytesWritten;
      this.bytes += bytesWritten;
      if (left > 0) rest = skipBytes(rest, bytesWritten);
    }
  }

  /** Makes everything written so far durable. */
  async sync(): Promise<void> {
    // It may miss data that is written while it runs.
    const { bytes } = this;
    if (this.#syncedBytes >= bytes) return;
    await this.#handle.datasync();
    this.#syncedBytes = bytes;
  }

  /** Never throws. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

/** The rest of a vector after a short write. */
function skipBytes(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    if (skip >= piece.byteLength) skip -= piece.byteLength;
    else {
      rest.push(skip > 0 ? piece.subarray(skip) : piece);
      skip = 0;
    }
  }
  return rest;
}
