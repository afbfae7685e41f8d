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
import { python } from '../../support/python.js';
import { readTfRecords } from '../../support/read-tfrecord.js';
import { lacking } from '../../../src/testing/lacking.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { exportTo } from './export-support.js';
import { firstOf } from '../../support/first-of.js';

const LAST = 2n ** 63n - 1n;
/** 2026-11-21T01:00:00Z. */
const at = 1_795_222_800_000_000_000n;
const formats = ['parquet', 'csv', 'jsonl', 'numpy', 'tfrecord'] as const;

interface Made {
  readonly topic: string;
  readonly encoding: 'cdr' | 'json';
  /** Default: `gen/msg/X`. */
  readonly type?: string;
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
  for (const { topic, encoding, type = 'gen/msg/X', definition, messages } of topics) {
    const schemaEncoding = encoding === 'cdr' ? 'ros2msg' : 'jsonschema';
    const schema = { name: type, encoding: schemaEncoding, data: Buffer.from(definition) };
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

/** A compressed image as CDR: only its fields `format` and `data`, which is what an image file is made of. */
function cdrImage(data: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.byteLength);
  return Buffer.concat([Buffer.from([0, 1, 0, 0, 5, 0, 0, 0]), Buffer.from('jpeg\0\0\0\0'), length, data]);
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
        topic: '/r/image',
        encoding: 'cdr',
        type: 'sensor_msgs/msg/CompressedImage',
        definition: 'string format\nuint8[] data',
        messages: [at, LAST, LAST + 1n, 2n ** 64n - 1n].map((logTime, i) => ({
          data: cdrImage(Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, i])),
          logTime,
        })),
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

  it('gives NumPy the times that fit, and none that is NaT', async function () {
    await exported('numpy', '/r/late', { raw: false });
    const program = [
      'import json, sys, numpy as np',
      'times = np.load(sys.argv[1])',
      "of = lambda name: [str(int(t)) for t in times[name].astype('int64')]",
      "nat = bool(any((times[name] != times[name]).any() for name in ('log_time', 'publish_time')))",
      "print(json.dumps([times['log_time'].dtype.str, of('log_time'), of('publish_time'), nat]))",
    ].join('\n');
    const read = python(program, [fileOf('numpy', '/r/late', { raw: false })]);
    if (read === undefined) return lacking(this, 'python', 'python3-numpy is not installed');
    const times = ['1795222800000000000', String(LAST)];
    assert.deepEqual(read, ['<M8[ns]', times, times, false]);
  });

  it('keeps every time of a recording in an export as MCAP', async () => {
    const { ok, manifest } = await exported('mcap', '/r/late');
    assert.deepEqual([ok, manifest.num_records, manifest.undecoded], [true, 5, 0]);
    assert.equal(present(manifest.topics[0]!.time_range).end, '2554-07-21T23:34:33.709551615Z');
    const bytes = await fs.readFile(fileOf('mcap', '/r/late'));
    const times: [bigint, bigint][] = [];
    for await (const { logTime, publishTime } of (await openMcap(bytesReadable(bytes), 'x')).messages()) {
      times.push([logTime, publishTime]);
    }
    assert.deepEqual(times, [
      [at, at],
      [at + 1n, 2n ** 63n],
      [LAST, LAST],
      [LAST + 1n, LAST + 1n],
      [2n ** 64n - 1n, 2n ** 64n - 1n],
    ]);
  });

  it('names the files of images by every time of a recording, also those after the year 2262', async () => {
    const to = join(folder, 'images');
    const given = { format: 'parquet', images: 'files', topics: ['/r/image'] };
    const { ok, manifest } = await exportTo(rec, to, given);
    assert.deepEqual([ok, manifest.num_records, manifest.undecoded], [true, 4, 0]);
    const names = (await fs.readdir(to, { recursive: true })).filter((name) => name.endsWith('.jpg')).sort();
    assert.deepEqual(
      names.map((name) => name.split('/').slice(-3).join('/')),
      [
        '2026-11-21/01/2026-11-21T01-00-00.000000000Z.jpg',
        '2262-04-11/23/2262-04-11T23-47-16.854775807Z.jpg',
        '2262-04-11/23/2262-04-11T23-47-16.854775808Z.jpg',
        '2554-07-21/23/2554-07-21T23-34-33.709551615Z.jpg',
      ],
    );
    assert.deepEqual([...(await fs.readFile(join(to, present(names[3]))))], [0xff, 0xd8, 0xff, 0xe0, 3]);
    const list = await fs.readFile(join(to, present(names[3]), '..', 'index.csv'), 'utf8');
    assert.match(list, /^2554-07-21T23:34:33\.709551615Z,2554-07-21T23:34:33\.709551615Z,/m);
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
      'SELECT data, log_time FROM "/r/late"',
    ]);
    assert.equal(query.exitCode, 3);
    assert.match(query.stderr, /\/r\/late: 3 messages left out: publish time .* later than tables hold/);
    assert.match(query.stderr, /some data could not be read or decoded/);
    assert.deepEqual(JSON.parse(query.stdout), [
      { data: 'first', log_time: '2026-11-21T01:00:00.000000000Z' },
      { data: 'last that fits', log_time: '2262-04-11T23:47:16.854775807Z' },
    ]);
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

  it('answers a query with messages that have bytes left over behind them, counts them and says so', async () => {
    const run = await runCli([
      ...['query', '--from', rec, '--output-format', 'csv', '--json', 'SELECT x FROM "/r/trail"'],
    ]);
    assert.equal(run.exitCode, 3);
    assert.match(run.stdout, /^x\n5\n5\n5\n/);
    assert.match(run.stderr, /\/r\/trail: 2 messages do not match their definition/);
    assert.equal(jsonOf(run)['ok'], false);
  });

  it('answers a query with every JSON message but the broken ones', async () => {
    const run = await runCli([
      ...['query', '--from', rec, '--output-format', 'jsonl'],
      `SELECT json, json->>'a' AS a FROM "/r/json" ORDER BY log_time`,
    ]);
    assert.equal(run.exitCode, 3);
    assert.match(run.stderr, /\/r\/json: 2 messages left out: JSON nested more than 512 deep/);
    const lines = run.stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => {
        JSON.parse(line);
        return present(/^\{"json":(.*),"a":[^,]*\}$/.exec(line))[1];
      }),
      jsonGiven,
    );
    assert.equal((JSON.parse(lines[2]!) as { a: string }).a, '18446744073709551615');
  });

  it('finds by check the JSON messages that cannot be decoded, and nothing wrong with the others', async () => {
    const run = await runCli(['check', rec, '--topics', '/r/json', '--json']);
    assert.equal(run.exitCode, 3, run.stderr);
    const { findings } = jsonOf(run) as unknown as { findings: readonly Record<string, unknown>[] };
    assert.deepEqual(
      findings.map(({ rule, topic, count }) => [rule, topic, count]),
      [['undecodable', '/r/json', 2]],
    );
    assert.match(String(findings[0]!['text']), /JSON nested more than 512 deep/);
  });

  it('tells by a report how many JSON messages cannot be decoded', async () => {
    const output = join(folder, 'json.html');
    const given = ['report', '--from', rec, '--topics', '/r/json', '--output', output, '--json'];
    const run = await runCli(given);
    const { answers } = jsonOf(run) as unknown as {
      answers: readonly { readonly remarks: readonly string[] }[];
    };
    const remarks = answers.flatMap((answer) => answer.remarks).join('\n');
    assert.match(remarks, /2 messages of .*json.* could not be decoded; they are recorded/, run.stderr);
  });
});
