import { randomBytes } from 'node:crypto';
import type { FileSystem } from '../core/file-system.js';
import { decrypt, encrypt, NONCE_BYTES } from '../encryption/derive.js';
import { KEY_BYTES } from '../encryption/key-text.js';

/** Bytes kept in memory before a file is created. */
const KEPT_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Where the file of a {@link Spill} lies. */
export interface SpillPlace {
  readonly fs: FileSystem;
  readonly path: string;
  /** The file is encrypted, with a key that only this object ever has. Default: false. */
  readonly encrypts?: boolean;
}

/**
 * Bytes that are gathered now and read once, in order, later: in memory while they are few, then in a file.
 * No file stays open between two calls.
 */
export class Spill {
  /** Everything added. */
  bytes = 0;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #filed = 0;
  /** Bytes of each write in the file, if it is encrypted. Each has its number as the nonce. */
  readonly #sealed: number[] = [];
  readonly #key: Uint8Array | undefined;
  readonly #file: SpillPlace | undefined;
  readonly #keptMaxBytes: number;

  /** @param file - Absent: everything stays in memory. */
  constructor(file: SpillPlace | undefined, keptMaxBytes = KEPT_BYTES) {
    this.#file = file;
    this.#key = file?.encrypts ? randomBytes(KEY_BYTES) : undefined;
    this.#keptMaxBytes = keptMaxBytes;
  }

  /** Takes ownership of `bytes`: they must not change any more. Throws the error of the disk. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.byteLength;
    this.bytes += bytes.byteLength;
    if (this.#file && this.#keptBytes > this.#keptMaxBytes) await this.#writeOut(this.#file);
  }

  /** Throws the error of the disk. */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#file && this.#filed > 0) yield* this.#readFile(this.#file);
    yield* this.#kept;
  }

  /** Frees memory and disk space. Never throws. */
  async remove(): Promise<void> {
    this.#kept = [];
    this.#keptBytes = 0;
    if (this.#file && this.#filed > 0) {
      await this.#file.fs.rm(this.#file.path, { force: true }).catch(() => undefined);
    }
    this.#filed = 0;
  }

  async #writeOut({ fs, path }: SpillPlace): Promise<void> {
    const plain = Buffer.concat(this.#kept, this.#keptBytes);
    const bytes = this.#key ? encrypt(this.#key, nonceOf(this.#sealed.length), plain) : plain;
    this.#sealed.push(bytes.byteLength);
    const handle = await fs.open(path, this.#filed === 0 ? 'w' : 'a');
    try {
      for (let at = 0; at < bytes.byteLength;) {
        at += (await handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
      }
    } finally {
      await handle.close();
    }
    this.#filed += bytes.byteLength;
    this.#kept = [];
    this.#keptBytes = 0;
  }

  async *#readFile({ fs, path }: SpillPlace): AsyncGenerator<Uint8Array, void, void> {
    const handle = await fs.open(path, 'r');
    const read = async (at: number, bytes: number): Promise<Buffer> => {
      const part = Buffer.allocUnsafe(bytes);
      for (let done = 0; done < bytes;) {
        const { bytesRead } = await handle.read(part, done, bytes - done, at + done);
        if (bytesRead === 0) throw new Error(`${path} ends at ${at + done}, before ${this.#filed}`);
        done += bytesRead;
      }
      return part;
    };
    try {
      if (this.#key) yield* this.#decrypted(this.#key, path, read);
      else {
        for (let at = 0; at < this.#filed; at += READ_BYTES) {
          yield await read(at, Math.min(READ_BYTES, this.#filed - at));
        }
      }
    } finally {
      await handle.close();
    }
  }

  async *#decrypted(
    key: Uint8Array,
    path: string,
    read: (at: number, bytes: number) => Promise<Buffer>,
  ): AsyncGenerator<Uint8Array, void, void> {
    let at = 0;
    for (const [number, bytes] of this.#sealed.entries()) {
      const plain = decrypt(key, nonceOf(number), await read(at, bytes));
      if (!plain) throw new Error(`${path} has other bytes at ${at} than were written`);
      at += bytes;
      yield plain;
    }
  }
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(number, NONCE_BYTES - 4);
  return nonce;
}
