import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { present } from '../../../src/core/present.js';
import { BufferWritable, cdrString } from '../../support/test-mcap.js';
import { arrowColumn, arrowTable } from '../../support/arrow.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { duckdb, rowOf, rowsOf } from '../../support/duckdb.js';
import { readTfRecords } from '../../support/read-tfrecord.js';
import { exportTo } from './export-support.js';
import { firstOf } from '../../support/first-of.js';

const LAST = 2n ** 63n - 1n;
const formats = ['parquet', 'csv', 'jsonl', 'numpy', 'tfrecord'] as const;

interface Made {
  readonly topic: string;
  readonly encoding: 'cdr' | 'json';
  readonly definition: string;
  readonly messages: readonly {
    readonly data: Uint8Array;
    readonly logTime: bigint;
    readonly publishTime?: bigint;
  }[];
}

async function writeMcap(path: string, topics: readonly Made[]): Promise<void> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: 'ros2', library: 'test' });
  for (const { topic, encoding, definition, messages } of topics) {
    const schemaEncoding = encoding === 'cdr' ? 'ros2msg' : 'jsonschema';
    const schema = { name: 'gen/msg/X', encoding: schemaEncoding, data: Buffer.from(definition) };
    const schemaId = await writer.registerSchema(schema);
    const channelId = await writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: encoding,
      metadata: new Map(),
    });
    for (const { data, logTime, publishTime = logTime } of messages) {
      await writer.addMessage({ channelId, sequence: 0, logTime, publishTime, data });
    }
  }
  await writer.end();
  await fs.writeFile(path, out.bytes());
}

const jsonTexts = [
  '{"a":1}',
  '\ufeff{"a":2}',
  '{"a":18446744073709551615}',
  String.raw`{"a":3,"s":"\ud800"}`,
  '['.repeat(5_000) + ']'.repeat(5_000),
  '{"a":1e400}',
  '{"x":',
  '{"a":-0}',
];
/** What of it is given, and how. */
const jsonGiven = [
  '{"a":1}',
  '{"a":2}',
  '{"a":18446744073709551615}',
  String.raw`{"a":3,"s":"\ufffd"}`,
  '{"a":1e400}',
  '{"a":-0}',
];

describe('an export of values at the edge', function () {
  this.timeout(120_000);
  let folder: string;
  let rec: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-edge-'));
    rec = join(folder, 'edge.mcap');
    const at = 1_795_222_800_000_000_000n;
    await writeMcap(rec, [
      {
        topic: '/r/late',
        encoding: 'cdr',
        definition: 'string data',
        messages: [
          { data: cdrString('first'), logTime: at },
          { data: cdrString('published late'), logTime: at + 1n, publishTime: 2n ** 63n },
          { data: cdrString('last that fits'), logTime: LAST },
          { data: cdrString('one too late'), logTime: LAST + 1n },
          { data: cdrString('year 2554'), logTime: 2n ** 64n - 1n },
        ],
      },
      {
        topic: '/r/json',
        encoding: 'json',
        definition: '{}',
        messages: jsonTexts.map((text, i) => ({ data: Buffer.from(text), logTime: at + BigInt(i) })),
      },
      {
        topic: '/r/trail',
        encoding: 'cdr',
        definition: 'int32 x',
        messages: [4, 7, 16].map((zeros, i) => ({
          data: Buffer.concat([Buffer.from([0, 1, 0, 0, 5, 0, 0, 0]), Buffer.alloc(zeros, i === 0 ? 1 : 0)]),
          logTime: at + BigInt(i),
        })),
      },
    ]);
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  const exported = async (format: string, topic: string, given: object = {}): ReturnType<typeof exportTo> =>
    exportTo(rec, join(folder, `${format}-${topic.slice(3)}-${JSON.stringify(given).length}`), {
      ...{ format, topics: [topic], layout: '{topic}' },
      ...given,
    });
  const fileOf = (format: string, topic: string, given: object = {}): string => {
    const extension = format === 'numpy' ? 'npz' : format;
    return join(
      folder,
      `${format}-${topic.slice(3)}-${JSON.stringify(given).length}`,
      `${topic.slice(1)}.${extension}`,
    );
  };

  for (const format of formats) {
    for (const raw of [false, true]) {
      it(`counts what is later than the year 2262 and gives no wrong time: ${format}${raw ? ', raw' : ''}`, async () => {
        const { ok, manifest } = await exported(format, '/r/late', { raw });
        const [topic] = firstOf(1, manifest.topics);
        assert.deepEqual(
          [ok, topic.sample_count, topic.undecoded, topic.kept_raw, topic.left_over],
          [false, 2, 3, 0, 0],
        );
        assert.match(present(topic.reason), /publish time 9223372036854775808 ns .* later than tables hold/);
        assert.equal(present(topic.time_range).end, '2262-04-11T23:47:16.854775807Z');
      });
    }
  }

  it('gives the last time that fits in every format', async () => {
    const db = await duckdb();
    const given = { raw: false };
    const row = await rowOf(
      db,
      `SELECT epoch_ns(max(log_time)) AS t FROM '${fileOf('parquet', '/r/late', given)}'`,
    );
    assert.equal(row['t'], LAST);
    for (const format of ['csv', 'jsonl']) {
      const text = await fs.readFile(fileOf(format, '/r/late', given), 'utf8');
      assert.match(present(text.trimEnd().split('\n').at(-1)), /2262-04-11T23:47:16\.854775807Z/);
    }
    const records = readTfRecords(await fs.readFile(fileOf('tfrecord', '/r/late', given)));
    assert.deepEqual(present(records.at(-1))['log_time'], [LAST]);
  });

  it('does not fill an aligned table up to a time that no table holds', async () => {
    const { manifest } = await exportTo(rec, join(folder, 'aligned'), {
      ...{ format: 'csv', align: 10, topics: ['/r/late'] },
    });
    assert.equal(manifest.undecoded, 3);
    assert.ok(manifest.files.reduce((sum, { rows }) => sum + rows, 0) < 1_000);
  });

  it('tells by cat and query what a table cannot hold', async () => {
    const cat = await runCli(['cat', rec, '--topic', '/r/late', '--after', String(LAST)]);
    const times = cat.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { time: string }).time);
    assert.deepEqual(times, [
      '2262-04-11T23:47:16.854775807Z',
      '2262-04-11T23:47:16.854775808Z',
      '2554-07-21T23:34:33.709551615Z',
    ]);
    const query = await runCli([
      'query',
      '--from',
      rec,
      '--output-format',
      'json',
      'SELECT data FROM "/r/late"',
    ]);
    assert.equal(query.exitCode, 3);
    assert.match(query.stderr, /some data could not be read or decoded/);
    assert.deepEqual(JSON.parse(query.stdout), [{ data: 'first' }, { data: 'last that fits' }]);
  });

  it('takes every time of a recording as a bound of cat, export and query', async () => {
    const [late, last] = [String(2n ** 63n), String(2n ** 64n - 1n)];
    const cat = await runCli(['cat', rec, '--topic', '/r/late', '--after', last, '--before', last]);
    assert.match(cat.stdout, /"data":\{"data":"year 2554"\}/);
    const { manifest } = await exported('parquet', '/r/late', { raw: false });
    assert.equal(manifest.num_records, 2);
    const from = join(fileOf('parquet', '/r/late', { raw: false }), '..', '..');
    for (const [bound, time, rows] of [
      ['--from-time', late, 0],
      ['--from-time', String(LAST), 1],
      ['--to-time', late, 2],
      ['--to-time', last, 2],
    ] as const) {
      const args = ['query', '--from', from, '--output-format', 'json', bound, time];
      const { exitCode, stdout, stderr } = await runCli([...args, 'SELECT count(*) AS n FROM "/r/late"']);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(JSON.parse(stdout), [{ n: rows }], `${bound} ${time}`);
    }
    const beyond = await runCli(['cat', rec, '--after', String(2n ** 64n)]);
    assert.equal(beyond.exitCode, 2);
  });

  it('tells by a report which messages were written with another definition, and the year 2554 as it is', async () => {
    const output = join(folder, 'report.html');
    const { json, stderr } = await runCli(['report', '--from', rec, '--output', output, '--json']);
    const { answers } = json as unknown as { answers: readonly { readonly remarks: readonly string[] }[] };
    const remarks = answers.flatMap((answer) => answer.remarks).join('\n');
    assert.match(remarks, /2 messages of .*trail.* do not match their definition/, stderr);
    const html = await fs.readFile(output, 'utf8');
    assert.match(html, /2554-07-21/);
    assert.ok(!html.includes('1677-'));
  });

  it('gives DuckDB, arrow-rs and line readers every JSON message but the broken ones', async () => {
    for (const format of formats) {
      const { manifest } = await exported(format, '/r/json');
      const { sample_count: count, undecoded, reason } = manifest.topics[0]!;
      assert.deepEqual([count, undecoded], [6, 2], format);
      assert.match(present(reason), /nested more than 512 deep/);
    }
    const db = await duckdb();
    const parquet = fileOf('parquet', '/r/json');
    const rows = await rowsOf(
      db,
      `SELECT json::VARCHAR AS j, json->>'a' AS a FROM '${parquet}' ORDER BY log_time`,
    );
    assert.deepEqual(
      rows.map(({ j }) => j),
      jsonGiven,
    );
    assert.equal(rows[2]!['a'], '18446744073709551615');
    assert.deepEqual(arrowColumn(arrowTable(await fs.readFile(parquet)), 'json'), jsonGiven);
    const lines = (await fs.readFile(fileOf('jsonl', '/r/json'), 'utf8')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => {
        JSON.parse(line);
        return present(/"json":(.*)\}$/.exec(line))[1];
      }),
      jsonGiven,
    );
    const read = await rowsOf(db, `SELECT count(*) AS n FROM read_json('${fileOf('jsonl', '/r/json')}')`);
    assert.equal(read[0]!['n'], 6n);
    const records = readTfRecords(await fs.readFile(fileOf('tfrecord', '/r/json')));
    assert.deepEqual(
      records.map((record) => record['json']![0]),
      jsonGiven,
    );
    const csv = await rowsOf(
      db,
      `SELECT json FROM read_csv('${fileOf('csv', '/r/json')}', types={'json': 'VARCHAR'}) ORDER BY log_time`,
    );
    assert.deepEqual(
      csv.map(({ json }) => json),
      jsonGiven,
    );
  });

  it('exports messages with bytes left over behind them, counts them and says so', async () => {
    const to = join(folder, 'trail');
    const run = await runCli([
      ...['export', '--from', rec, '--to', to, '--format', 'csv', '--topics', '/r/trail', '--json'],
    ]);
    assert.equal(run.exitCode, 3);
    assert.match(run.stderr, /\/r\/trail: 2 messages do not match their definition/);
    const json = jsonOf(run);
    assert.deepEqual([json['num_records'], json['undecoded'], json['left_over']], [3, 0, 2]);
    const { manifest } = await exported('jsonl', '/r/trail');
    assert.deepEqual([manifest.left_over, manifest.topics[0]!.left_over], [2, 2]);
    assert.match(present(manifest.topics[0]!.reason), /4 bytes are left over/);
  });
});
