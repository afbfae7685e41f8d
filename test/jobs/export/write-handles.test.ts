import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { severalAtOnce } from '../../../src/jobs/export/several-at-once.js';
import { sleep } from '../../../src/testing/waiting.js';
import { WriteHandles } from '../../../src/jobs/export/write-handles.js';

describe('handles of files under construction', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-handles-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('are few for any number of files, and every file gets its bytes', async () => {
    const handles = new WriteHandles(fs, 4);
    const paths = Array.from({ length: 50 }, (_, i) => join(folder, `f${i}`));
    const files = await Promise.all(paths.map((path) => handles.create(path)));
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        files.map((file, i) => file.write(Buffer.from(`${i}.${round};`.padEnd(8)), 8 * round)),
      );
      assert.ok(handles.size <= 4, `${handles.size} open`);
    }
    const read = Buffer.alloc(8);
    assert.equal(await files[7]!.read(read, 8), 8);
    assert.equal(read.toString(), '7.1;    ');
    for (const file of files) {
      await file.sync();
      await file.close();
    }
    assert.equal(handles.size, 0);
    assert.equal(await fs.readFile(paths[49]!, 'utf8'), '49.0;   49.1;   49.2;   ');
  });

  it('report an error at closing to the file that it belongs to', async () => {
    const failing = {
      ...fs,
      open: async (...args: Parameters<typeof fs.open>) => {
        const handle = await fs.open(...args);
        if (String(args[0]).endsWith('bad')) {
          const close = handle.close.bind(handle);
          handle.close = async () => {
            await close();
            throw new Error('EIO');
          };
        }
        return handle;
      },
    };
    const handles = new WriteHandles(failing, 1);
    const bad = await handles.create(join(folder, 'bad'));
    const good = await handles.create(join(folder, 'good'));
    await good.write(Buffer.from('x'), 0);
    await assert.rejects(bad.write(Buffer.from('x'), 0), /EIO/);
    await good.close();
  });
});

describe('several at once', () => {
  it('gives the results in order, never more at the same time than allowed', async () => {
    let now = 0;
    let most = 0;
    const results = await severalAtOnce([5, 1, 4, 2, 3], 2, async (ms) => {
      most = Math.max(most, ++now);
      await sleep(ms);
      now--;
      return ms * 10;
    });
    assert.deepEqual([results, most], [[50, 10, 40, 20, 30], 2]);
  });

  it('begins nothing more after a failure, and rejects when the current work has ended', async () => {
    const begun: number[] = [];
    let ended = 0;
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      await sleep(5 * item);
      ended++;
      if (item === 1) throw new Error('one');
    };
    await assert.rejects(severalAtOnce([1, 4, 3, 2], 2, work), /one/);
    assert.deepEqual([begun, ended], [[1, 4], 2]);
  });
});
