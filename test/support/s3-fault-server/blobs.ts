import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { join } from 'node:path';

/** Stored bytes of one part or object. */
export interface Blob {
  readonly bytes: number;
  read(start: number, end: number): AsyncIterable<Buffer>;
  flip(offset: number): Promise<void>;
  remove(): Promise<void>;
}

export interface BlobWriter {
  write(chunk: Buffer): Promise<void>;
  /** Flips a bit of what was written last, before anyone hashes it. */
  end(): Promise<Blob>;
  discard(): Promise<void>;
}

export interface BlobStore {
  create(): Promise<BlobWriter>;
}

const READ_BYTES = 256 * 1024;

export class MemoryBlobs implements BlobStore {
  create(): Promise<BlobWriter> {
    const chunks: Buffer[] = [];
    return Promise.resolve({
      write: (chunk) => {
        chunks.push(chunk);
        return Promise.resolve();
      },
      end: () => Promise.resolve(memoryBlob(Buffer.concat(chunks))),
      discard: () => Promise.resolve(),
    });
  }
}

function memoryBlob(data: Buffer): Blob {
  return {
    bytes: data.length,

    async *read(start, end) {
      for (let at = start; at < end; at += READ_BYTES)
        yield await Promise.resolve(data.subarray(at, Math.min(end, at + READ_BYTES)));
    },
    flip: (offset) => {
      data[offset] = (data[offset] as number) ^ 1;
      return Promise.resolve();
    },
    remove: () => Promise.resolve(),
  };
}

/** For long runs: memory stays small, the folder grows. The index is in memory alone. */
export class FolderBlobs implements BlobStore {
  constructor(readonly folder: string) {}

  async create(): Promise<BlobWriter> {
    const path = join(this.folder, randomUUID());
    const handle = await fs.open(path, 'wx');
    let bytes = 0;
    return {
      write: async (chunk) => {
        await handle.writeFile(chunk);
        bytes += chunk.length;
      },
      end: async () => {
        await handle.close();
        return fileBlob(path, bytes);
      },
      discard: async () => {
        await handle.close();
        await fs.rm(path, { force: true });
      },
    };
  }
}

function fileBlob(path: string, bytes: number): Blob {
  return {
    bytes,
    async *read(start, end) {
      const handle = await fs.open(path, 'r');
      try {
        for (let at = start; at < end;) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0) return;
          yield buffer.subarray(0, bytesRead);
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
    },
    async flip(offset) {
      const handle = await fs.open(path, 'r+');
      try {
        const byte = Buffer.alloc(1);
        await handle.read(byte, 0, 1, offset);
        byte[0] = (byte[0] as number) ^ 1;
        await handle.write(byte, 0, 1, offset);
      } finally {
        await handle.close();
      }
    },
    remove: () => fs.rm(path, { force: true }),
  };
}

/** Several blobs as one: an object made of parts. */
export function joinBlobs(blobs: readonly Blob[]): Blob {
  const bytes = blobs.reduce((sum, blob) => sum + blob.bytes, 0);
  const each = function* (): Generator<{ blob: Blob; from: number }> {
    let from = 0;
    for (const blob of blobs) {
      yield { blob, from };
      from += blob.bytes;
    }
  };
  return {
    bytes,
    async *read(start, end) {
      for (const { blob, from } of each()) {
        const [first, last] = [Math.max(start - from, 0), Math.min(end - from, blob.bytes)];
        if (first < last) yield* blob.read(first, last);
      }
    },
    async flip(offset) {
      for (const { blob, from } of each()) {
        if (offset >= from && offset < from + blob.bytes) await blob.flip(offset - from);
      }
    },
    async remove() {
      for (const blob of blobs) await blob.remove();
    },
  };
}
