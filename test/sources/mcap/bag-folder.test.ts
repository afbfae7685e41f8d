import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zstd from '@foxglove/wasm-zstd';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { Gap } from '../../../src/core/gap.js';
import { createMcapSource } from '../../../src/sources/mcap/mcap-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { mcapFixture } from '../../support/mcap-fixtures.js';
import { cdrString, testMcap } from '../../support/test-mcap.js';
import { Probe } from '../../../src/testing/source-probe.js';

const read = (path: string): Promise<Probe> =>
  new Probe(createMcapSource(parseSourceUri(`mcap:${path}`), { fs })).end();
const gapsOf = (probe: Probe): Omit<Gap, 'id'>[] =>
  probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
const isRefusal =
  (pattern: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isHoldfastError(error, 'SOURCE_UNREADABLE'));
    assert.match(error.message, pattern);
    return true;
  };

describe('a rosbag2 folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-bag-folder-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const bag = async (files: readonly string[], fields: Readonly<Record<string, unknown>>): Promise<void> => {
    const information = { storage_identifier: 'mcap', ...fields };
    const text = JSON.stringify({ rosbag2_bagfile_information: information });
    await fs.writeFile(join(folder, 'metadata.yaml'), text);
    for (const name of files) await fs.writeFile(join(folder, name), await testMcap({ messages: 4 }));
  };

  it('whose messages are compressed is recorded as it was published', async () => {
    const { messages } = await read(mcapFixture('message-compressed-bag'));
    const payloads = messages.map(({ data }) => Buffer.from(data));
    assert.deepEqual(
      payloads.map((data) => [
        data.readUInt32BE(0),
        data.readUInt32LE(4),
        data.toString('latin1').slice(-8, -1),
      ]),
      [0, 1, 2].map((i) => [0x00010000, 1_700_000_000 + i, `child_${i}`]),
    );
  });

  it('whose messages are compressed is recorded as it was published from its file alone, too', async () => {
    const { messages } = await read(join(mcapFixture('message-compressed-bag'), 'c05_0.mcap'));
    assert.deepEqual(
      messages.map(({ data }) => data[0]),
      [0, 0, 0],
    );
  });

  for (const [what, damage] of [
    ['is cut', (frame: Buffer) => frame.subarray(0, -4)],
    ['is damaged', (frame: Buffer) => (frame.fill(0xff, 8), frame)],
    [
      'announces more than may be held',
      (frame: Buffer) => (
        frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        frame
      ),
    ],
  ] as const) {
    for (const summary of [true, false]) {
      it(`loses only the compressed message that ${what}, and says so, ${summary ? 'with' : 'without'} an index`, async () => {
        await zstd.isLoaded;
        const packed = (i: number): Buffer => Buffer.from(zstd.compress(cdrString(`m${i} `.repeat(20)), 1));
        const payload = (i: number): Buffer => (i === 1 ? damage(packed(i)) : packed(i));
        const path = join(folder, 'x.mcap');
        await fs.writeFile(
          path,
          await testMcap({ messages: 3, summary, topics: [{ topic: '/r/a', payload }] }),
        );
        const probe = await read(path);
        assert.equal(probe.messages.length, 2);
        const [gap] = gapsOf(probe);
        assert.equal(gap?.reason, 'source_unreadable');
        assert.match(gap.detail ?? '', /not decompress/);
      });
    }
  }

  it('with messages in an unknown compression format is refused for that reason', async () => {
    await bag(['run_0.mcap'], {
      compression_mode: 'message',
      compression_format: 'lz4',
      relative_file_paths: ['run_0.mcap'],
    });
    await assert.rejects(read(folder), isRefusal(/its messages are compressed with "lz4", allowed: zstd/));
  });

  it('that was decompressed by hand is read by the files that are there', async () => {
    const { messages } = await read(mcapFixture('decompressed-bag'));
    assert.deepEqual(
      messages.map(({ data }) => Buffer.from(data.subarray(8, -1)).toString()),
      ['m0', 'm1', 'm2'],
    );
  });

  it('that lists a file both compressed and plain gives its messages once', async () => {
    const relative_file_paths = ['bag/run_0.mcap.zstd', 'run_0.mcap'];
    await bag(['run_0.mcap'], { compression_mode: 'FILE', compression_format: 'zstd', relative_file_paths });
    assert.equal((await read(folder)).messages.length, 4);
  });

  it('of which one file is still compressed gives the others, and a gap with advice', async () => {
    const relative_file_paths = ['run_0.mcap.zstd', 'run_1.mcap.zstd'];
    await bag(['run_1.mcap'], { compression_mode: 'FILE', compression_format: 'zstd', relative_file_paths });
    await zstd.isLoaded;
    await fs.writeFile(join(folder, 'run_0.mcap.zstd'), zstd.compress(await testMcap(), 1));
    const probe = await read(folder);
    assert.equal(probe.messages.length, 4);
    assert.match(gapsOf(probe)[0]?.detail ?? '', /compressed as a whole: decompress it with zstd -d/);
  });

  it('of which every file is still compressed is refused by that reason', async () => {
    await bag([], {
      compression_mode: 'FILE',
      compression_format: 'zstd',
      relative_file_paths: ['run_0.mcap.zstd'],
    });
    await assert.rejects(read(folder), isRefusal(/run_0\.mcap\.zstd is no \*\.mcap file/));
  });

  for (const storage_identifier of ['', null, undefined]) {
    it(`whose storage_identifier is ${JSON.stringify(storage_identifier)} is read by the files that are there`, async () => {
      await bag(['run_0.mcap'], { storage_identifier, relative_file_paths: ['run_0.mcap'] });
      assert.equal((await read(folder)).messages.length, 4);
    });
  }

  it('that was converted, and kept the metadata.yaml of its old storage, is read by the files that are there', async () => {
    await bag(['run_0.mcap'], { storage_identifier: 'sqlite3', relative_file_paths: ['run_0.db3'] });
    const probe = await read(folder);
    assert.equal(probe.messages.length, 4);
    assert.deepEqual(gapsOf(probe), []);
  });

  it('does not lead to files outside of it', async () => {
    const outside = join(folder, 'outside.mcap');
    await fs.writeFile(outside, await testMcap({ messages: 7 }));
    const own = join(folder, 'bag');
    await fs.mkdir(own);
    await fs.writeFile(join(own, 'run_0.mcap'), await testMcap({ messages: 4 }));
    for (const listed of ['../outside.mcap', outside, 'x/../../outside.mcap', '..\\outside.mcap']) {
      const information = { storage_identifier: 'mcap', relative_file_paths: [listed] };
      await fs.writeFile(
        join(own, 'metadata.yaml'),
        JSON.stringify({ rosbag2_bagfile_information: information }),
      );
      assert.equal((await read(own)).messages.length, 4, listed);
    }
  });

  it('of another storage is refused by that reason', async () => {
    await bag([], { storage_identifier: 'sqlite3', relative_file_paths: ['run_0.db3'] });
    await assert.rejects(read(folder), isRefusal(/a bag of storage "sqlite3", allowed: mcap/));
  });
});
