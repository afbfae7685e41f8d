import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { present } from '../../../src/core/present.js';
import { BufferWritable, cdrString } from '../../support/test-mcap.js';
import { duckdb, rowOf, rowsOf } from '../../support/duckdb.js';
import { recording } from '../../support/recordings.js';
import { openStore } from '../../../src/stores/open-store.js';
import type { ExportManifest } from '../../../src/jobs/export/export-manifest.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { jsonOf, runCli } from '../../support/cli.js';
import {
  CHAT_MESSAGES,
  SECOND,
  sealedFolder,
  segmentIdOf,
  START,
  uploadAll,
} from '../../recordings/sealed-fixture.js';
import { exportTo } from './export-support.js';

interface BadChannel {
  readonly topic: string;
  readonly encoding?: string;
  readonly type?: string;
  readonly schemaEncoding?: string;
  readonly definition?: string;
  readonly payloads: readonly Uint8Array[];
}

async function writeMcap(path: string, channels: readonly BadChannel[]): Promise<void> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: 'ros2', library: 'test' });
  let time = 1_795_222_800_000_000_000n;
  for (const { topic, encoding = 'cdr', type = 'std_msgs/msg/String', ...rest } of channels) {
    const { schemaEncoding = 'ros2msg', definition = 'string data', payloads } = rest;
    const data = Buffer.from(definition);
    const schemaId =
      type === '' ? 0 : await writer.registerSchema({ name: type, encoding: schemaEncoding, data });
    const channelId = await writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: encoding,
      metadata: new Map(),
    });
    for (const payload of payloads) {
      time += 1_000_000n;
      await writer.addMessage({ channelId, sequence: 0, logTime: time, publishTime: time, data: payload });
    }
  }
  await writer.end();
  await fs.writeFile(path, out.bytes());
}

const lying = Uint8Array.from([0, 1, 0, 0, 255, 255, 255, 255]);
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe('an export of bad input', function () {
  this.timeout(120_000);
  let folder: string;
  let bad: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-bad-'));
    bad = join(folder, 'bad.mcap');
    await writeMcap(bad, [
      { topic: '/r/good', payloads: [cdrString('one'), cdrString('two')] },
      { topic: '/r/lying', payloads: [cdrString('one'), lying, cdrString('three'), new Uint8Array(2)] },
      { topic: '/r/encoding', encoding: 'smoke', payloads: [cdrString('x')] },
      {
        topic: '/r/protobuf',
        encoding: 'protobuf',
        type: 'my.Type',
        schemaEncoding: 'protobuf',
        definition: '\n\u0001x',
        payloads: [Buffer.from([8, 1]), Buffer.from([8, 2])],
      },
      {
        topic: '/r/one',
        type: 'my/msg/Same',
        definition: 'int32 a',
        payloads: [Uint8Array.from([0, 1, 0, 0, 7, 0, 0, 0])],
      },
      { topic: '/r/two', type: 'my/msg/Same', definition: 'string a', payloads: [cdrString('seven')] },
      {
        topic: '/r/definition',
        definition: 'this is no definition ???',
        payloads: [cdrString('x'), cdrString('y')],
      },
      { topic: '/r/unknown', definition: 'gen/Nowhere x', payloads: [cdrString('x')] },
      { topic: '/r/none', type: '', payloads: [cdrString('x')] },
      { topic: '/r/changed', definition: 'string data', payloads: [cdrString('text')] },
      {
        topic: '/r/changed',
        definition: 'uint32 data\nuint8 more',
        payloads: [Uint8Array.from([0, 1, 0, 0, 7, 0, 0, 0, 9])],
      },
      {
        topic: '/r/json',
        encoding: 'json',
        type: 'my.Type',
        schemaEncoding: 'jsonschema',
        payloads: [json({ a: 1 }), Buffer.from('{')],
      },
      { topic: '/r/named like/../../a file\u0000?*', payloads: [cdrString('x')] },
      { topic: '/r/topic', definition: 'string topic\nuint32 sequence', payloads: [] },
    ]);
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('reports per topic what could not be decoded and how much, and exports the rest', async () => {
    const to = join(folder, 'report');
    const { ok, manifest } = await exportTo(bad, to, { format: 'parquet' });
    assert.equal(ok, false);
    const counts = Object.fromEntries(
      manifest.topics.map(({ topic, encoding, sample_count, undecoded, reason }) => [
        topic + (topic === '/r/changed' ? encoding : ''),
        [sample_count, undecoded, reason !== undefined],
      ]),
    );
    assert.deepEqual(counts['/r/good'], [2, 0, false]);
    assert.deepEqual(counts['/r/lying'], [2, 2, true]);
    assert.deepEqual(counts['/r/encoding'], [0, 1, true]);
    assert.deepEqual(counts['/r/protobuf'], [0, 2, true]);
    assert.deepEqual(counts['/r/definition'], [0, 2, true]);
    assert.deepEqual(counts['/r/unknown'], [0, 1, true]);
    assert.deepEqual(counts['/r/none'], [0, 1, true]);
    assert.deepEqual(counts['/r/json'], [1, 1, true]);
    assert.equal(manifest.undecoded, 10);
    const db = await duckdb();
    const rows = await rowsOf(
      db,
      `SELECT data, data_uint32, more FROM '${to}/robot=r/topic=%2Fr%2Fchanged/**/*.parquet' ORDER BY log_time`,
    );
    assert.deepEqual(rows, [
      { data: 'text', data_uint32: null, more: null },
      { data: null, data_uint32: 7, more: 9 },
    ]);
    const changed = present(manifest.topics.find(({ topic }) => topic === '/r/changed'));
    assert.equal(changed.schema_versions, 2);
    const names = await fs.readdir(join(to, 'robot=r'));
    assert.equal(names.filter((name) => name.includes('named')).length, 1);
    for (const name of await fs.readdir(folder))
      assert.ok(['bad.mcap', 'report'].includes(name) || !name.startsWith('a'));
  });

  it('gives every topic a separate file, even if the names are alike', async () => {
    const topics = ['imu', '/imu', '//imu', '/~/imu', '~/imu', '/a//b', '/a/~/b'];
    const source = join(folder, 'alike.mcap');
    await writeMcap(
      source,
      topics.map((topic) => ({ topic, payloads: [cdrString(topic)] })),
    );
    const { ok, manifest } = await exportTo(source, join(folder, 'alike'), {
      format: 'jsonl',
      layout: '{topic}',
    });
    assert.ok(ok);
    assert.equal(new Set(manifest.files.map(({ path }) => path)).size, topics.length);
    const written = await Promise.all(
      manifest.files.map(({ path }) => fs.readFile(join(folder, 'alike', path), 'utf8')),
    );
    for (const topic of topics) assert.equal(written.filter((text) => text.includes(`"${topic}"`)).length, 1);
  });

  it('refuses a layout that gives two tables one path', async () => {
    const source = join(folder, 'one-path.mcap');
    const channels = [
      { topic: '/a_std', type: 'msgs/msg/String', payloads: [cdrString('1')] },
      { topic: '/a', type: 'std_msgs/msg/String', payloads: [cdrString('2')] },
    ];
    await writeMcap(source, channels);
    await assert.rejects(
      exportTo(source, join(folder, 'one-path'), { format: 'jsonl', layout: '{topic}_{type}' }),
      /OUTPUT_UNUSABLE|two files of this export would have the path/,
    );
  });

  it('keeps two types of one name apart in the columns of their table', async () => {
    const to = join(folder, 'same-name');
    const { ok, manifest } = await exportTo(bad, to, {
      ...{ format: 'parquet', layout: '{type}', topics: ['/r/one', '/r/two'] },
    });
    assert.ok(ok);
    assert.deepEqual(
      manifest.topics.map(({ files }) => files),
      [[manifest.files[0]!.path], [manifest.files[0]!.path]],
    );
    const rows = await rowsOf(
      await duckdb(),
      `SELECT topic, a, a_string FROM '${join(to, manifest.files[0]!.path)}' ORDER BY log_time`,
    );
    assert.deepEqual(rows, [
      { topic: '/r/one', a: 7, a_string: null },
      { topic: '/r/two', a: null, a_string: 'seven' },
    ]);
  });

  it('exports the rest of a store if an object is missing, and lists only the gaps of its range', async () => {
    const root = join(folder, 'store');
    await fs.mkdir(root);
    const ports = { fileSystem: fs, clock: systemClock, random: randomBytes };
    const data = await sealedFolder(join(folder, 'data'), 3);
    await using store = await openStore(`dir:${root}`, {}, ports);
    await store.createId('c'.repeat(32));
    await uploadAll(data, store);
    const keys: string[] = [];
    for await (const { key } of store.list('')) if (key.endsWith('.mcap')) keys.push(key);
    const lost = present(keys.find((key) => key.startsWith('robot=r1/') && key.includes(segmentIdOf(2))));
    await store.delete(lost);
    const to = join(folder, 'of-store');
    const args = [
      'export',
      '--from',
      root,
      '--to',
      to,
      '--format',
      'jsonl',
      '--topics',
      '*/chat',
      '--no-cache',
    ];
    const run = await runCli([...args, '--json']);
    assert.equal(run.exitCode, 3, run.stderr);
    assert.equal(jsonOf(run)['num_records'], 5 * CHAT_MESSAGES);
    const manifest = JSON.parse(await fs.readFile(join(to, 'manifest.json'), 'utf8')) as ExportManifest;
    const where = lost.replace(/\.mcap$/, '.json');
    assert.deepEqual(manifest.problems, [{ where, reason: 'its segment is missing' }]);
    assert.deepEqual(
      manifest.gaps.map(({ id }) => id),
      ['gap-1-r1', 'gap-1-r2', 'gap-2-r2', 'gap-3-r1', 'gap-3-r2'],
    );
    const again = await runCli(args);
    assert.equal(again.exitCode, 3);
    const some = await runCli([
      ...['export', '--from', root, '--to', join(folder, 'some'), '--format', 'csv', '--json', '--no-cache'],
      ...['--from-time', String(START + 30n * SECOND), '--robots', 'r2'],
    ]);
    assert.equal(some.exitCode, 0, some.stderr);
    const part = JSON.parse(
      await fs.readFile(join(folder, 'some', 'manifest.json'), 'utf8'),
    ) as ExportManifest;
    assert.deepEqual(
      part.gaps.map(({ id }) => id),
      ['gap-3-r2'],
    );
  });

  it('keeps undecodable messages as payloads when asked to', async () => {
    const to = join(folder, 'raw');
    const { ok, manifest } = await exportTo(bad, to, { format: 'parquet', raw: true });
    assert.ok(ok);
    assert.equal(manifest.undecoded, 0);
    const db = await duckdb();
    const rows = await rowsOf(
      db,
      `SELECT data, payload::VARCHAR AS payload, problem FROM '${to}/robot=r/topic=%2Fr%2Flying/**/*.parquet' ORDER BY log_time`,
    );
    assert.deepEqual(
      rows.map(({ data, problem }) => [data, problem === null]),
      [
        ['one', true],
        [null, false],
        ['three', true],
        [null, false],
      ],
    );
    const smoke = await rowOf(
      db,
      `SELECT octet_length(payload) AS n FROM '${to}/robot=r/topic=%2Fr%2Fencoding/**/*.parquet'`,
    );
    assert.equal(Number(smoke['n']), cdrString('x').byteLength);
  });

  it('exports the salvageable part of a killed recording, and reports that', async () => {
    const { ok, manifest, problems } = await exportTo(recording('killed'), join(folder, 'killed'), {
      format: 'csv',
    });
    assert.equal(ok, false);
    assert.ok(manifest.num_records > 100);
    assert.ok(problems.length > 0);
  });

  it('continues beside segments that are damaged or gone', async () => {
    const rec = join(folder, 'rec');
    await fs.mkdir(rec);
    await fs.copyFile(bad, join(rec, 'a.mcap'));
    await fs.writeFile(join(rec, 'b.mcap'), 'no recording at all');
    const { ok, manifest, problems } = await exportTo(rec, join(folder, 'beside'), {
      format: 'jsonl',
      topics: ['/r/good'],
    });
    assert.equal(ok, false);
    assert.equal(manifest.num_records, 2);
    assert.match(problems[0]!.where, /b\.mcap/);
  });

  it('makes a manifest also of nothing', async () => {
    for (const format of ['parquet', 'numpy', 'mcap']) {
      const { ok, manifest } = await exportTo(bad, join(folder, `empty-${format}`), {
        format,
        topics: ['/nowhere'],
      });
      assert.ok(ok);
      assert.deepEqual([manifest.num_records, manifest.time_range, manifest.files], [0, null, []]);
    }
  });
});
