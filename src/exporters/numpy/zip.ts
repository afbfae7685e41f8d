import { crc32 } from 'node:zlib';

const LOCAL = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const CENTRAL = 0x02014b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const END = 0x06054b50;
const VERSION = 45;
/** Bit 3: CRC and sizes follow the data. Bit 11: names are UTF-8. */
const FLAGS = 0x0808;
const IN_EXTRA = 0xffffffff;
/** 1980-01-01, ZIP's first date: the same content gives the same archive. */
const DATE = 0x0021;

interface Entry {
  readonly name: Buffer;
  readonly at: number;
  readonly crc: number;
  readonly bytes: number;
}

/**
 * A ZIP archive of stored entries, written in one pass; always with 64-bit sizes, so that every size is
 * handled in the same way (APPNOTE 6.3, 4.3 and 4.5.3).
 */
export class ZipWriter {
  readonly #entries: Entry[] = [];
  #at = 0;

  constructor(readonly write: (bytes: Uint8Array) => Promise<void>) {}

  async add(name: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const at = this.#at;
    const bytes = Buffer.from(name);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(LOCAL, 0);
    head.writeUInt16LE(VERSION, 4);
    head.writeUInt16LE(FLAGS, 6);
    head.writeUInt16LE(DATE, 12);
    head.writeUInt32LE(IN_EXTRA, 18);
    head.writeUInt32LE(IN_EXTRA, 22);
    head.writeUInt16LE(bytes.byteLength, 26);
    // Zeros, because the descriptor after the data has the values.
    const extra = Buffer.alloc(20);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(16, 2);
    head.writeUInt16LE(extra.byteLength, 28);
    await this.#put(head, bytes, extra);
    let [crc, size] = [0, 0];
    for await (const part of content) {
      crc = crc32(part, crc);
      size += part.byteLength;
      await this.#put(part);
    }
    const tail = Buffer.alloc(24);
    tail.writeUInt32LE(DESCRIPTOR, 0);
    tail.writeUInt32LE(crc, 4);
    tail.writeBigUInt64LE(BigInt(size), 8);
    tail.writeBigUInt64LE(BigInt(size), 16);
    await this.#put(tail);
    this.#entries.push({ name: bytes, at, crc, bytes: size });
  }

  async finish(): Promise<void> {
    const start = this.#at;
    for (const { name, at, crc, bytes } of this.#entries) {
      const head = Buffer.alloc(46);
      head.writeUInt32LE(CENTRAL, 0);
      head.writeUInt16LE(VERSION, 4);
      head.writeUInt16LE(VERSION, 6);
      head.writeUInt16LE(FLAGS, 8);
      head.writeUInt16LE(DATE, 14);
      head.writeUInt32LE(crc, 16);
      head.writeUInt32LE(IN_EXTRA, 20);
      head.writeUInt32LE(IN_EXTRA, 24);
      head.writeUInt16LE(name.byteLength, 28);
      head.writeUInt16LE(28, 30);
      head.writeUInt32LE(IN_EXTRA, 42);
      const extra = Buffer.alloc(28);
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(bytes), 4);
      extra.writeBigUInt64LE(BigInt(bytes), 12);
      extra.writeBigUInt64LE(BigInt(at), 20);
      await this.#put(head, name, extra);
    }
    const size = this.#at - start;
    const count = BigInt(this.#entries.length);
    const end = Buffer.alloc(56 + 20 + 22);
    end.writeUInt32LE(END64, 0);
    end.writeBigUInt64LE(44n, 4);
    end.writeUInt16LE(VERSION, 12);
    end.writeUInt16LE(VERSION, 14);
    end.writeBigUInt64LE(count, 24);
    end.writeBigUInt64LE(count, 32);
    end.writeBigUInt64LE(BigInt(size), 40);
    end.writeBigUInt64LE(BigInt(start), 48);
    end.writeUInt32LE(LOCATOR64, 56);
    end.writeBigUInt64LE(BigInt(this.#at), 64);
    end.writeUInt32LE(1, 72);
    end.writeUInt32LE(END, 76);
    end.writeUInt16LE(0xffff, 84);
    end.writeUInt16LE(0xffff, 86);
    end.writeUInt32LE(IN_EXTRA, 88);
    end.writeUInt32LE(IN_EXTRA, 92);
    await this.#put(end);
  }

  async #put(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      this.#at += part.byteLength;
      await this.write(part);
    }
  }
}
