import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import { BlobReader } from '../../src/wal/blob-reader.js';
import { BLOB_FILE } from '../../src/wal/segment-format.js';
import { systemError } from './faulty-fs.js';

/** A disk whose bytes from `bad` on cannot be read; counts the reads. */
function damagedFrom(bad: number, reads: number[]): FileSystem {
  const damaged = (handle: FileHandle): FileHandle =>
    new Proxy(handle, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value as (...rest: unknown[]) => unknown;
        return async (...args: unknown[]) => {
          if (name === 'read') {
            const [, , length, position] = args as [Buffer, number, number, number];
            reads.push(length);
            if (position + length > bad) throw systemError('EIO');
          }
          return await method.apply(target, args);
        };
      },
    });
  return {
    ...realFs,
    open: async (path, flags) => damaged(await realFs.open(path, flags)),
  };
}

describe('the reader of a blob', () => {
  const bytes = seededBytes(5)(4_000_000);
  let directory: string;
  before(async () => {
    directory = await realFs.mkdtemp(join(tmpdir(), 'holdfast-blob-'));
    await realFs.writeFile(join(directory, BLOB_FILE), bytes);
  });
  after(() => realFs.rm(directory, { recursive: true, force: true }));

  async function readAll(size: number, bad = Infinity): Promise<{ whole: number; reads: number }> {
    const reads: number[] = [];
    const blob = await BlobReader.open(damagedFrom(bad, reads), directory, true);
    let whole = 0;
    try {
      for (let offset = 0; offset + size <= bytes.length; offset += size) {
        const part = await blob.read({ offset, bytes: size, crc: 0 }, true).catch(() => undefined);
        if (part === undefined) continue;
        assert.ok(part.equals(bytes.subarray(offset, offset + size)), `at ${offset}`);
        whole++;
      }
    } finally {
      await blob.close();
    }
    return { whole, reads: reads.length };
  }

  it('reads many small batches with few reads, and large ones with one each', async () => {
    assert.deepEqual(await readAll(1000), { whole: 4000, reads: 4 });
    assert.deepEqual(await readAll(2_000_000), { whole: 2, reads: 2 });
  });

  it('reads every batch before a bad place of the disk', async () => {
    const { whole } = await readAll(1000, 600_500);
    assert.equal(whole, 600);
  });
});
