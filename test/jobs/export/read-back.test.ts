import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { recording } from '../../support/recordings.js';
import { duckdb, rowOf, rowsOf } from '../../support/duckdb.js';
import { runCli } from '../../support/cli.js';
import { readTfRecords } from '../../support/read-tfrecord.js';
import { python } from '../../support/python.js';
import { common, exportTo, flat, originals, type Original } from './export-support.js';
import { lacking } from '../../../src/testing/lacking.js';
import { firstOf } from '../../support/first-of.js';

const from = recording('two_robots');
const heads = ['log_time', 'publish_time', 'robot', 'topic', 'sequence'];

/** A feature's value in the words of `common`. */
function plain(value: unknown): unknown {
  return Buffer.isBuffer(value) ? `hex:${value.toString('hex')}` : common(value);
}

/** What an Example can hold of a value: floats of 32 bits, integers for booleans. `like` is a value of the feature. */
function single(like: unknown): (value: unknown) => unknown {
  return (value) => {
    if (typeof value === 'boolean') return Number(value);
    if (typeof like === 'string' && typeof value === 'string' && value.startsWith('hex:')) {
      return Buffer.from(value.slice(4), 'hex').toString();
    }
    return typeof like === 'number' && typeof value === 'number' ? Math.fround(value) : value;
  };
}

/** The columns that describe the message, apart from its own. */
function apart(row: Record<string, unknown>): { head: unknown; body: Record<string, unknown> } {
  const others = [...heads, 'date', 'hour'];
  const body = Object.fromEntries(Object.entries(row).filter(([name]) => !others.includes(name)));
  return { head: heads.map((name) => common(row[name])), body };
}

const headOf = ({ topic, logTime, publishTime, sequence }: Original): unknown => [
  common(logTime),
  common(publishTime),
  /^\/([^/]+)\//.exec(topic)?.[1] ?? '',
  topic,
  sequence,
];

describe('an export of a real recording, read back', function () {
  // Tens of thousands of values, read back by other programs.
  this.timeout(120_000);
  let folder: string;
  let byTopic: Map<string, Original[]>;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-export-'));
    byTopic = group(await originals(from));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('gives DuckDB every value of every message as nested Parquet, and the manifest matches', async () => {
    const to = join(folder, 'nested');
    const { ok, manifest } = await exportTo(from, to, { format: 'parquet' });
    assert.ok(ok);
    assert.equal(manifest.num_records, [...byTopic.values()].flat().length);
    const db = await duckdb();
    assert.equal(manifest.topics.flatMap(({ files }) => files).length, manifest.files.length);
    for (const { topic, sample_count, message_type, files } of manifest.topics) {
      const expected = present(byTopic.get(topic));
      assert.equal(sample_count, expected.length);
      assert.equal(message_type, expected[0]!.type);
      const file = present(
        manifest.files.find(({ path }) => path.includes(`topic=${encodeURIComponent(topic)}/`)),
      );
      assert.deepEqual(files, [file.path]);
      const rows = await rowsOf(
        db,
        `SELECT * FROM read_parquet('${join(to, file.path)}', hive_partitioning=false)`,
      );
      rows.forEach((row, i) => {
        const { head, body } = apart(row);
        assert.deepEqual(head, headOf(expected[i]!));
        assert.deepEqual(common(body), common(expected[i]!.value), `${topic} ${i}`);
      });
      assert.equal(rows.length, expected.length);
      assert.equal(file.rows, rows.length);
      const bytes = await fs.readFile(join(to, file.path));
      assert.equal(createHash('sha256').update(bytes).digest('hex'), file.sha256);
      assert.equal(bytes.byteLength, file.bytes);
    }
  });

  it('gives DuckDB every value of a simulated fleet as it was recorded', async () => {
    const data = join(folder, 'rec');
    const source = 'sim:?robots=2&duration=4s&rate=max';
    const recorded = await runCli(['record', '--source', source, '--data', data]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const of = group(await originals(data));
    const { ok, manifest } = await exportTo(data, join(folder, 'sim'), { format: 'parquet' });
    assert.ok(ok);
    assert.ok(manifest.topics.length > 20);
    assert.equal(manifest.num_records, [...of.values()].flat().length);
    const db = await duckdb();
    for (const { topic, files } of manifest.topics) {
      const paths = files.map((path) => `'${join(folder, 'sim', path)}'`).join(', ');
      const rows = await rowsOf(
        db,
        `SELECT * FROM read_parquet([${paths}], hive_partitioning=false) ORDER BY log_time`,
      );
      const expected = present(of.get(topic));
      assert.equal(rows.length, expected.length);
      rows.forEach((row, i) => {
        const { head, body } = apart(row);
        assert.deepEqual(head, headOf(expected[i]!));
        const own = Object.entries(body).map(([name, field]) => [name.replace(/^message\./, ''), field]);
        assert.deepEqual(common(Object.fromEntries(own)), common(expected[i]!.value), `${topic} ${i}`);
      });
    }
  });

  it('gives an independent reader of TFRecord every value', async () => {
    const to = join(folder, 'tfrecord');
    const given = { format: 'tfrecord', topics: ['/robot1/*', '/tf', '/diagnostics'] };
    const { manifest } = await exportTo(from, to, given);
    for (const { topic, files } of manifest.topics) {
      const records = readTfRecords(await fs.readFile(join(to, files[0]!)));
      const expected = present(byTopic.get(topic));
      assert.equal(records.length, expected.length);
      records.forEach((record, i) => {
        const { value, logTime } = expected[i]!;
        assert.deepEqual(record['log_time'], [logTime]);
        for (const [name, wanted] of Object.entries(flat(value))) {
          const list = Array.isArray(wanted) ? (wanted as unknown[]) : [wanted];
          const got = record[name]!;
          // Lists of messages are one JSON text.
          if (typeof list[0] === 'object')
            assert.equal((JSON.parse(got[0] as string) as unknown[]).length, list.length);
          else assert.deepEqual(got.map(plain), list.map(single(got[0])), `${topic} ${i} ${name}`);
        }
      });
    }
  });

  it('gives DuckDB the partitions of the path as columns, and statistics that skip row groups', async () => {
    const db = await duckdb();
    const to = join(folder, 'nested');
    const row = await rowOf(
      db,
      `SELECT count(*) AS n, min(hour)::VARCHAR AS hour FROM read_parquet('${to}/**/*.parquet', hive_partitioning=true, union_by_name=true) WHERE topic = '/robot1/imu'`,
    );
    assert.equal(Number(row['n']), present(byTopic.get('/robot1/imu')).length);
    const stats = await rowsOf(
      db,
      `SELECT stats_min_value, stats_max_value FROM parquet_metadata('${to}/robot=robot1/topic=%2Frobot1%2Fimu/*/*/*.parquet') WHERE path_in_schema = 'log_time'`,
    );
    assert.ok(stats.every(({ stats_min_value: min, stats_max_value: max }) => min !== null && max !== null));
  });

  it('gives DuckDB every value as flattened Parquet, CSV and JSON lines', async () => {
    const db = await duckdb();
    for (const format of ['parquet', 'csv', 'jsonl']) {
      const to = join(folder, `flat-${format}`);
      const { manifest } = await exportTo(from, to, {
        format,
        flatten: true,
        layout: '{robot}/{topic}',
        topics: ['/robot1/*', '/tf', '/diagnostics', '/rosout'],
      });
      for (const { topic, robot } of manifest.topics) {
        const expected = present(byTopic.get(topic));
        const path = join(to, robot === '' ? '~' : robot, `${topic.slice(1)}.${format}`);
        const columns = new Map(
          (
            await rowsOf(
              db,
              `DESCRIBE SELECT * FROM '${join(folder, 'flat-parquet', robot === '' ? '~' : robot, topic.slice(1))}.parquet'`,
            )
          ).map(({ column_name: name, column_type: type }) => [name as string, type as string]),
        );
        const rows = await rowsOf(db, `SELECT * FROM ${reader(format, path, columns)}`);
        const names = new Set([...columns.keys()]);
        const isExpanded = (at: string): boolean => names.has(`${at}.0`);
        assert.equal(rows.length, expected.length, `${format} ${topic}`);
        rows.forEach((row, i) => {
          const { head, body } = apart(row);
          assert.deepEqual(head, headOf(expected[i]!), `${format} ${topic} ${i}`);
          const wanted = flat(expected[i]!.value, isExpanded);
          assert.deepEqual(format === 'jsonl' ? flat(body) : common(body), wanted, `${format} ${topic} ${i}`);
        });
      }
    }
  });

  it('opens in pandas and NumPy with typed columns and arrays of the right shape', async function () {
    const csv = join(folder, 'flat-csv');
    const to = join(folder, 'numpy');
    await exportTo(from, to, { format: 'numpy' });
    const program = `
import json, sys
import numpy as np, pandas as pd
csv = pd.read_csv(sys.argv[1] + '/robot1/robot1/imu.csv', parse_dates=['log_time', 'header.stamp'], float_precision='round_trip')
imu = np.load(sys.argv[2] + '/robot1/robot1/imu.npz')
scan = np.load(sys.argv[2] + '/robot1/robot1/scan.npz')
points = np.load(sys.argv[2] + '/robot1/robot1/points.npz')
print(json.dumps({
  'csv': [str(csv['log_time'].dtype), len(csv), csv['orientation.w'].tolist()],
  'log_time': imu['log_time'].astype('int64').astype(str).tolist(),
  'w': imu['orientation.w'].tolist(), 'cov': list(imu['orientation_covariance'].shape),
  'frame': imu['header.frame_id'].tolist()[:2],
  'ranges': [str(scan['ranges'].dtype), list(scan['ranges'].shape), scan['ranges'][0].tolist()],
  'points': [str(points['points.x'].dtype), list(points['points.x'].shape), points['points.y'][3].tolist()],
}))`;
    const read = python(program, [csv, to]) as Record<string, unknown> | undefined;
    if (read === undefined)
      return lacking(this, 'python', 'python3-numpy and python3-pandas are not installed');
    const imu = present(byTopic.get('/robot1/imu'));
    const w = imu.map(({ value }) => (value['orientation'] as { w: number }).w);
    assert.deepEqual(read['csv'], ['datetime64[ns, UTC]', imu.length, w]);
    assert.deepEqual(read['w'], w);
    assert.deepEqual(
      read['log_time'],
      imu.map(({ logTime }) => String(logTime)),
    );
    assert.deepEqual(read['cov'], [imu.length, 9]);
    assert.deepEqual(read['frame'], ['robot1/imu', 'robot1/imu']);
    const scan = present(byTopic.get('/robot1/scan'));
    const ranges = Array.from(scan[0]!.value['ranges'] as Float32Array);
    assert.deepEqual(read['ranges'], ['float32', [scan.length, ranges.length], ranges]);
    const points = present(byTopic.get('/robot1/points'));
    const cloud = points[3]!.value as { data: Uint8Array; point_step: number };
    const view = new DataView(cloud.data.buffer, cloud.data.byteOffset, cloud.data.byteLength);
    const y = Array.from({ length: cloud.data.byteLength / cloud.point_step }, (_, i) =>
      view.getFloat32(i * cloud.point_step + 4, true),
    );
    assert.deepEqual(read['points'], ['float32', [points.length, y.length], y]);
  });

  it('gives the same messages as MCAP, merged, cut and filtered', async () => {
    const to = join(folder, 'mcap');
    const imu = present(byTopic.get('/robot1/imu'));
    const [first, last] = [imu[100]!.logTime, imu[200]!.logTime];
    for (const compression of ['zstd', 'lz4', 'none']) {
      const given = { topics: ['/robot1/imu'], fromTime: String(first), toTime: String(last), compression };
      const { manifest } = await exportTo(from, `${to}-${compression}`, { format: 'mcap', ...given });
      assert.equal(manifest.num_records, 101);
      const copied = await originals(join(`${to}-${compression}`, 'export.mcap'));
      assert.deepEqual(
        copied.map(({ logTime, data }) => [logTime, data]),
        imu.slice(100, 201).map(({ logTime, data }) => [logTime, data]),
      );
    }
  });

  it('writes the same bytes again', async () => {
    for (const format of ['parquet', 'csv', 'jsonl', 'numpy', 'tfrecord', 'mcap']) {
      const given = { format, topics: ['/robot1/imu', '/robot1/scan', '/tf', '/robot*/tf_static'] };
      const files = [];
      for (const workers of [1, 2]) {
        const to = join(folder, `again-${format}-${workers}`);
        files.push((await exportTo(from, to, { ...given, workers })).manifest.files);
      }
      assert.deepEqual(files[0], files[1]);
    }
  });

  it('thins topics out by count and by time', async () => {
    const counts = [];
    for (const every of ['10', '100ms']) {
      const to = join(folder, `every-${every}`);
      const { manifest } = await exportTo(from, to, { format: 'csv', topics: ['/robot1/imu'], every });
      counts.push(manifest.num_records);
      assert.equal(
        manifest.topics[0]!.thinned_out + manifest.num_records,
        present(byTopic.get('/robot1/imu')).length,
      );
    }
    assert.equal(counts[0], Math.ceil(present(byTopic.get('/robot1/imu')).length / 10));
    assert.ok(Math.abs(counts[1]! - 219) <= 2, String(counts[1]));
  });
});

function group(all: readonly Original[]): Map<string, Original[]> {
  const map = new Map<string, Original[]>();
  for (const one of all) {
    const list = map.get(one.topic);
    if (list === undefined) map.set(one.topic, [one]);
    else list.push(one);
  }
  return map;
}

/** How DuckDB reads a text file with the types the Parquet of the same messages has. */
function reader(format: string, path: string, columns: ReadonlyMap<string, string>): string {
  if (format === 'parquet') return `'${path}'`;
  const types = [...columns].map(([name, type]) => [name, textType(type)] as const);
  if (format === 'csv') {
    const list = types.map(([name, type]) => `'${name}': '${type}'`).join(', ');
    const values = [...columns].map(([name, type]) => `${fromText(name, type)} AS "${name}"`).join(', ');
    return `(SELECT ${values} FROM read_csv('${path}', header=true, columns={${list}}, nullstr='\u0001', max_line_size=20000000))`;
  }
  const values = [...columns]
    .map(([name, type]) => `${fromText(jsonPath(name), type, true)} AS "${name}"`)
    .join(', ');
  return `(SELECT ${values} FROM read_json('${path}', records=false, columns={json: 'JSON'}, format='newline_delimited', maximum_object_size=50000000))`;
}

const textType = (type: string): string =>
  /^(TIMESTAMP_NS|BLOB|.*\[\]|STRUCT.*)$/.test(type) ? 'VARCHAR' : type;
const jsonPath = (name: string): string => name;

function fromText(name: string, type: string, isJson = false): string {
  const text = isJson ? `json_extract_string(json, '$."${name.replaceAll('.', '"."')}"')` : `"${name}"`;
  if (type === 'TIMESTAMP_NS') return `replace(${text}, 'Z', '')::TIMESTAMP_NS`;
  if (type === 'BLOB') return `from_base64(${text})`;
  if (/\[\]$|^STRUCT/.test(type))
    return `from_json(${isJson ? `json_extract(json, '$."${name.replaceAll('.', '"."')}"')` : `${text}::JSON`}, '${structure(type)}')`;
  return isJson ? `(${text})::${type}` : text;
}

/** DuckDB's type as the structure its JSON reader takes; times inside of lists come as text. */
function structure(type: string): string {
  const list = /^(.*)\[\]$/.exec(type);
  if (list) return `[${structure(list[1]!)}]`;
  const struct = /^STRUCT\((.*)\)$/.exec(type);
  if (!struct) return `"${type}"`;
  const fields: string[] = [];
  let [depth, start] = [0, 0];
  const body = `${struct[1]!},`;
  for (let i = 0; i < body.length; i++) {
    if (body[i] === '(') depth++;
    if (body[i] === ')') depth--;
    if (body[i] !== ',' || depth > 0) continue;
    const [, name, inner] = firstOf(3, /^\s*"?([^" ]+)"? (.*)$/.exec(body.slice(start, i)));
    fields.push(`"${name}": ${structure(inner)}`);
    start = i + 1;
  }
  return `{${fields.join(', ')}}`;
}
