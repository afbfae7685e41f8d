import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { FileHandle } from '../../src/core/file-system.js';
import { newContentKey } from '../../src/encryption/encrypted-content.js';
import { DigestFile } from '../../src/seal/digest-file.js';
import { sleep } from '../../src/testing/waiting.js';
import { counted, plainOf, streamed } from '../encryption/made-content.js';

/** A file in memory that takes its time, writes at most some bytes at once, and fails when a test says so. */
class SlowFile {
  readonly written: Buffer[] = [];
  failsAt = Infinity;
  atOnce = 0;
  readonly handle = {
    write: async (bytes: Uint8Array, at: number, length: number) => {
      this.atOnce++;
      assert.equal(this.atOnce, 1, 'one write at a time');
      if (this.written.length >= this.failsAt) throw new Error('no space left');
      const bytesWritten = Math.min(length, 100_000);
      await sleep(1);
      // As the kernel does: the bytes as they are now, not as they were when the call began.
      this.written.push(Buffer.from(bytes.subarray(at, at + bytesWritten)));
      this.atOnce--;
      return { bytesWritten };
    },
    sync: () => Promise.resolve(),
  } as unknown as FileHandle;
}

const MIB = 2 ** 20;

describe('A file that is encrypted while it is written', () => {
  const key = newContentKey(counted());

  it('has the bytes of one pass in order, although the disk is behind, for writes of any size', async () => {
    const plain = plainOf(MIB + 77);
    const expected = streamed(plain, key);
    for (const pieceBytes of [50_000, 200_000, plain.length]) {
      const file = new SlowFile();
      const digest = new DigestFile(file.handle, undefined, key);
      for (let at = 0; at < plain.length; at += pieceBytes) {
        // The caller may use its memory again at once.
        const piece = Buffer.from(plain.subarray(at, at + pieceBytes));
        await digest.write(piece);
        piece.fill(0);
      }
      const { bytes, sha256 } = await digest.finish();
      assert.ok(Buffer.concat(file.written).equals(expected), `pieces of ${pieceBytes}`);
      const sum = createHash('sha256').update(expected).digest('hex');
      assert.deepEqual([bytes, sha256], [expected.length, sum]);
    }
  });

  it('reports a write that fails behind it, at the latest at its end', async () => {
    for (const failsAt of [0, 1, 4]) {
      const file = new SlowFile();
      file.failsAt = failsAt;
      const digest = new DigestFile(file.handle, undefined, key);
      await assert.rejects(async () => {
        await digest.write(plainOf(MIB / 2));
        await digest.finish();
      }, /no space left/);
    }
  });
});
