import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zstd from '@foxglove/wasm-zstd';
import { McapIndexedReader } from '@mcap/core';
import { decodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { runCli } from '../support/cli.js';
import { testMcap } from '../support/test-mcap.js';

const MESSAGES = 120;
const PAYLOAD_BYTES = 5_000;

/** An indexed MCAP as `@mcap/core` reads it, without looking at the messages first. */
async function read(path: string): Promise<{ topics: string[]; record: Map<string, string> | undefined }> {
  await zstd.isLoaded;
  const reader = await McapIndexedReader.Initialize({
    readable: bytesReadable(await fs.readFile(path)),
    decompressHandlers: { zstd: (data, size) => zstd.decompress(data, Number(size)) },
  });
  const topics: string[] = [];
  for await (const { channelId } of reader.readMessages()) {
    topics.push(present(reader.channelsById.get(channelId)).topic);
  }
  let record: Map<string, string> | undefined;
  for await (const { metadata } of reader.readMetadata({ name: 'foxglove' })) record = metadata;
  assert.ok(reader.chunkIndexes.length > 0);
  return { topics, record };
}

describe('topics with segments of their own', function () {
  this.timeout(120_000);
  let root: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-groups-'));
  });
  afterEach(async () => {
    await fs.rm(root, { recursive: true, force: true });
  });

  const data = (): string => join(root, 'rec');

  async function record(...flags: readonly string[]): Promise<Manifest[]> {
    const file = join(root, 'in.mcap');
    // Large enough to be written in place.
    const payload = (index: number): Uint8Array => Buffer.alloc(PAYLOAD_BYTES, index);
    const topics = ['/imu', '/wheel', '/map', '/state'].map((topic) => ({ topic, payload }));
    await fs.writeFile(file, await testMcap({ topics, messages: MESSAGES }));
    const source = ['--source', `r1=mcap:${file}`, '--data', data()];
    const run = await runCli(['record', ...source, ...flags]);
    assert.equal(run.exitCode, 0, run.stderr);
    const names = (await fs.readdir(join(data(), 'sealed'))).filter((name) => name.endsWith('.json'));
    const texts = names.map((name) => fs.readFile(join(data(), 'sealed', name), 'utf8'));
    return (await Promise.all(texts)).map((text) => decodeManifest(text, 'it'));
  }

  const topicsOf = ({ channels }: Manifest): string => channels.map(({ topic }) => topic).join(' ');

  for (const [how, inPlace] of [
    ['copied', 'never'],
    ['in place', 'always'],
  ] as const) {
    it(`are split by the rules (${how}), and everything reads them`, async () => {
      const rules = ['--rule', '/(imu|wheel)$ segment=fast', '--rule', '/map segment=maps'];
      const place = ['--seal-in-place', inPlace, '--seal-in-place-min-bytes', '4KiB'];
      const manifests = await record(...rules, ...place);
      const byGroup = new Map(manifests.map((one) => [one.segment.group, one]));
      assert.deepEqual([...byGroup].map(([group, one]) => [group ?? '', topicsOf(one)]).sort(), [
        ['', '/state'],
        ['fast', '/imu /wheel'],
        ['maps', '/map'],
      ]);
      assert.equal(new Set(manifests.map(({ segment }) => segment.id)).size, 3);
      assert.equal(new Set(manifests.map(({ segment }) => segment.number)).size, 1);
      assert.equal(new Set(manifests.map(({ key }) => key)).size, 3);
      for (const manifest of manifests) {
        const { topics } = await read(join(data(), 'sealed', manifest.file.name));
        assert.equal(topics.length, manifest.messages);
        assert.deepEqual([...new Set(topics)].sort().join(' '), topicsOf(manifest));
      }

      const verified = await runCli(['verify', data(), '--json']);
      assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
      const listed = await runCli(['ls', data(), '--json']);
      assert.equal(listed.exitCode, 0, listed.stderr);
      const cat = await runCli(['cat', data()]);
      assert.equal(cat.stdout.trim().split('\n').length, MESSAGES);

      const store = join(root, 'store');
      await fs.mkdir(store);
      const target = ['--store', `dir:${store}`, '--create-store-id'];
      const sync = await runCli(['sync', '--data', data(), ...target, '--drain', '--json']);
      assert.equal(sync.exitCode, 0, sync.stdout + sync.stderr);
      for (const { key } of manifests) {
        await fs.access(join(store, key));
        await fs.access(join(store, manifestKey(key)));
      }
      const inStore = await runCli(['verify', `dir:${store}`, '--json']);
      assert.equal(inStore.exitCode, 0, inStore.stdout + inStore.stderr);

      const bags = await runCli(['bag', data(), '--json']);
      assert.equal(bags.exitCode, 0, bags.stdout + bags.stderr);
      const folders = await fs.readdir(join(data(), 'bags'));
      assert.deepEqual(folders.sort(), ['r1', 'r1~segment=fast', 'r1~segment=maps']);
    });
  }

  it('have the record that Foxglove reads, with a key of their own, which a merged file lacks', async () => {
    const manifests = await record(
      ...['--rule', '/imu segment=fast', '--seal-foxglove-project', 'prj_1'],
      ...['--seal-foxglove-device', 'fleet-{robot}', '--seal-foxglove-key', '--seal-chunk-bytes', '2KiB'],
    );
    assert.equal(manifests.length, 2);
    for (const { file, segment } of manifests) {
      const { record: found } = await read(join(data(), 'sealed', file.name));
      assert.deepEqual([...present(found)].sort(), [
        ['deviceName', 'fleet-r1'],
        ['key', segment.id],
        ['projectId', 'prj_1'],
      ]);
    }
    const merged = join(root, 'merged.mcap');
    const run = await runCli(['replay', data(), '--output', merged]);
    assert.equal(run.exitCode, 0, run.stderr);
    const { record: found, topics } = await read(merged);
    assert.equal(topics.length, MESSAGES);
    assert.deepEqual([...present(found)].sort(), [
      ['deviceName', 'fleet-r1'],
      ['projectId', 'prj_1'],
    ]);
  });

  it('are refused with a name that cannot be one of a folder', async () => {
    const run = await runCli([
      'record',
      '--source',
      'mcap:x',
      '--rule',
      '/imu segment=A/b',
      '--data',
      data(),
    ]);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /"\/imu segment=A\/b".*segment=NAME/s);
  });
});
