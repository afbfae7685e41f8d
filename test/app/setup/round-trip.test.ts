import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zstd from '@foxglove/wasm-zstd';
import { McapIndexedReader } from '@mcap/core';
import { recording } from '../../support/recordings.js';
import { runCli } from '../../support/cli.js';

interface Counted {
  /** Messages by topic, log time, publish time and payload, with how often each occurs. */
  readonly messages: Map<string, number>;
  readonly latchedTopics: Set<string>;
  readonly count: number;
}

/** Reads files with the library's own indexed reader alone: what any other tool would see. */
async function count(paths: readonly string[], withCarried: boolean): Promise<Counted> {
  await zstd.isLoaded;
  const messages = new Map<string, number>();
  const latchedTopics = new Set<string>();
  let total = 0;
  for (const path of paths) {
    const handle = await fs.open(path);
    try {
      const { size } = await handle.stat();
      const reader = await McapIndexedReader.Initialize({
        readable: {
          size: () => Promise.resolve(BigInt(size)),
          read: async (offset, length) => {
            const bytes = Buffer.alloc(Number(length));
            await handle.read(bytes, 0, bytes.length, Number(offset));
            return bytes;
          },
        },
        decompressHandlers: { zstd: (data, length) => zstd.decompress(data, Number(length)) },
      });
      for await (const { channelId, logTime, publishTime, data } of reader.readMessages()) {
        const channel = reader.channelsById.get(channelId);
        assert.ok(channel);
        const isCarried = channel.metadata.get('holdfast_carried') === 'true';
        if (/tf_static|robot_description/.test(channel.topic)) latchedTopics.add(channel.topic);
        if (isCarried && !withCarried) continue;
        const digest = createHash('sha256').update(data).digest('base64');
        const key = `${channel.topic} ${logTime} ${publishTime} ${digest}`;
        messages.set(key, (messages.get(key) ?? 0) + 1);
        total++;
      }
    } finally {
      await handle.close();
    }
  }
  return { messages, latchedTopics, count: total };
}

async function filesBelow(folder: string, extension: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true });
  return entries.filter((entry) => entry.endsWith(extension)).map((entry) => join(folder, entry));
}

describe('round trip of real recordings', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), `holdfast-round-${randomBytes(2).toString('hex')}-`));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  for (const name of ['two_robots', 'two_robots_split_zstd'] as const) {
    it(`brings every message of ${name} into the store once, byte for byte, each object standing alone`, async function () {
      this.timeout(120_000);
      const [data, store] = [join(folder, 'data'), join(folder, 'store')];
      const recorded = await runCli([
        ...['record', '--source', `@namespace=mcap:${recording(name)}`, '--data', data],
        ...['--segment-max-bytes', '2MiB', '--json'],
      ]);
      assert.equal(recorded.exitCode, 0, recorded.stderr);
      const synced = await runCli(['sync', '--data', data, '--store', `dir:${store}`, '--drain', '--json']);
      assert.equal(synced.exitCode, 0, synced.stderr);

      const sent = await count(await filesBelow(recording(name), '.mcap'), false);
      const objects = await filesBelow(store, '.mcap');
      const stored = await count(objects, false);
      assert.equal(stored.count, sent.count);
      assert.equal(recorded.json?.['durable'], sent.count);
      assert.deepEqual(new Map([...stored.messages].sort()), new Map([...sent.messages].sort()));
      assert.ok(objects.length > 4, 'several segments, or nothing is carried');
      for (const object of objects) {
        const robot = /robot=([^/]+)/.exec(object)?.[1];
        if (robot !== 'robot1' && robot !== 'robot2') continue;
        const { latchedTopics } = await count([object], true);
        for (const topic of [`/${robot}/tf_static`, `/${robot}/robot_description`]) {
          const known = [...sent.messages.keys()].some((key) => key.startsWith(`${topic} `));
          if (known) assert.ok(latchedTopics.has(topic), `${object} lacks ${topic}`);
        }
      }
      const verified = await runCli(['verify', `dir:${store}`, '--json']);
      assert.equal(verified.exitCode, 0, verified.stdout);
    });
  }

  it('records a killed recording up to its cut and reports how much could not be read', async function () {
    this.timeout(60_000);
    const data = join(folder, 'data');
    const recorded = await runCli([
      'record',
      '--source',
      `@namespace=mcap:${recording('killed')}`,
      '--data',
      data,
      '--json',
    ]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    assert.ok(Number(recorded.json?.['durable']) > 1_000);
    assert.ok(Number(recorded.json?.['unreadableBytes']) > 0);
    const manifests = await filesBelow(join(data, 'sealed'), '.json');
    const texts = await Promise.all(manifests.map((path) => fs.readFile(path, 'utf8')));
    assert.ok(texts.some((text) => text.includes('source_unreadable')));
  });
});
