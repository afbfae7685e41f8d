import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { arrowColumn, arrowTable, arrowTimes } from '../../support/arrow.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { recording } from '../../support/recordings.js';
import { common, exportTo } from './export-support.js';

const from = recording('two_robots');

describe('Parquet files, read by arrow-rs', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-arrow-'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  const kinds: readonly (readonly [name: string, given: Record<string, unknown>])[] = [
    ['nested', {}],
    ['flattened', { flatten: true, layout: '{robot}/{topic}' }],
    ['aligned', { align: 10 }],
    ['raw', { raw: true, layout: '{type}' }],
  ];
  for (const [name, given] of kinds) {
    it(`hold every row and the times that DuckDB reads: ${name}`, async () => {
      const to = join(folder, name);
      const { manifest } = await exportTo(from, to, { format: 'parquet', ...given });
      assert.ok(manifest.files.length > 0);
      const db = await duckdb();
      for (const { path, rows } of manifest.files) {
        const table = arrowTable(await fs.readFile(join(to, path)));
        assert.equal(table.numRows, rows, path);
        const time = name === 'aligned' ? 'time' : 'log_time';
        const other = await rowsOf(
          db,
          `SELECT epoch_ns(${time}) AS t, robot FROM read_parquet('${join(to, path)}', hive_partitioning=false)`,
        );
        assert.deepEqual(
          arrowTimes(table, time),
          other.map(({ t }) => t),
          path,
        );
        assert.deepEqual(
          arrowColumn(table, 'robot'),
          other.map(({ robot }) => robot),
          path,
        );
        const names = table.schema.fields.map((field) => field.name);
        const described = await rowsOf(
          db,
          `DESCRIBE SELECT * FROM read_parquet('${join(to, path)}', hive_partitioning=false)`,
        );
        assert.deepEqual(
          names,
          described.map(({ column_name: column }) => column),
          path,
        );
      }
    });
  }

  it('hold every value of nested messages', async () => {
    const to = join(folder, 'values');
    const { manifest } = await exportTo(from, to, { format: 'parquet', topics: ['/robot1/imu', '/tf'] });
    const db = await duckdb();
    for (const [topic, column] of [
      ['/robot1/imu', 'linear_acceleration'],
      ['/robot1/imu', 'orientation_covariance'],
      ['/tf', 'transforms'],
    ] as const) {
      const path = join(to, present(manifest.topics.find((one) => one.topic === topic)).files[0]!);
      const table = arrowTable(await fs.readFile(path));
      const rows = await rowsOf(db, `SELECT ${column} AS v FROM read_parquet('${path}')`);
      const withoutTimes = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(common(value), (name, one: unknown) => (name === 'stamp' ? 0 : one)));
      assert.deepEqual(
        arrowColumn(table, column).map(withoutTimes),
        rows.map(({ v }) => withoutTimes(v)),
        `${topic} ${column}`,
      );
    }
  });
});
