import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { loadDuckDb } from '../../../src/jobs/query/duckdb-library.js';
import { openTables } from '../../../src/jobs/query/open-source.js';
import { QuerySession } from '../../../src/jobs/query/query-session.js';
import type { OutputFormat } from '../../../src/jobs/query/result-writer.js';
import { answerQuery } from '../../../src/jobs/query/run-query.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import { runCli, spawnCli, type CliRun } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import { testMcap } from '../../support/test-mcap.js';
import { common, exportTo, originals, type Original } from '../export/export-support.js';
import { eventually } from '../../../src/testing/waiting.js';
import { firstOf } from '../../support/first-of.js';

const recorded = recording('two_robots');

/** What a query over a folder of tables prints, without a process of its own. */
async function answer(from: string, sql: string, format: OutputFormat, limit = Infinity): Promise<string> {
  const { signal } = new AbortController();
  const spillFolder = await fs.mkdtemp(join(tmpdir(), 'holdfast-spill-'));
  await using source = present(await openTables(fs, from, {}, signal));
  const options = { memoryLimitBytes: 2 ** 28, spillFolder, signal };
  await using session = await QuerySession.open(await loadDuckDb(), options);
  try {
    let text = '';
    const write = (piece: Uint8Array): Promise<void> => {
      text += Buffer.from(piece).toString('utf8');
      return Promise.resolve();
    };
    await answerQuery(session, source, sql, {}, { options: { format, limit, guardFormulas: false }, write });
    return text;
  } finally {
    await fs.rm(spillFolder, { recursive: true });
  }
}

/** Rows that the command prints as JSON lines. */
async function ask(from: string, sql: string, ...rest: string[]): Promise<Record<string, unknown>[]> {
  const { exitCode, stdout, stderr } = await runCli([
    ...['query', '--from', from, sql, '--output-format', 'jsonl', ...rest],
  ]);
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function refusal(from: string, sql: string, ...rest: string[]): Promise<CliRun> {
  const run = await runCli(['query', '--from', from, sql, ...rest]);
  assert.equal(run.exitCode, 2, run.stdout + run.stderr);
  assert.equal(run.stdout, '');
  return run;
}

describe('holdfast query', function () {
  // Each question is a process of its own.
  this.timeout(120_000);
  let folder: string;
  let tables: string;
  let imu: Original[];

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-query-test-'));
    tables = join(folder, 'tables');
    await exportTo(recorded, tables, { format: 'parquet' });
    imu = (await originals(recorded)).filter(({ topic }) => topic.endsWith('/imu'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('gives every value of a topic as it was recorded, over an export and straight over a recording', async () => {
    const sql = 'SELECT * FROM "/robot1/imu" ORDER BY log_time';
    const expected = imu.filter(({ topic }) => topic === '/robot1/imu');
    for (const from of [tables, recorded]) {
      const rows = await ask(from, sql);
      assert.equal(rows.length, expected.length);
      rows.forEach((row, i) => {
        const { value, logTime } = expected[i]!;
        assert.equal(row['log_time'], isoNs(logTime));
        const wanted = common({ ...value, header: undefined }) as Record<string, unknown>;
        for (const [name, field] of Object.entries(wanted)) {
          if (name !== 'header') assert.deepEqual(row[name], field, `${name} of row ${i}`);
        }
        assert.equal((row['header'] as { frame_id: string }).frame_id, 'robot1/imu');
      });
    }
  });

  it('has a topic under its name, as an identifier, of all robots and by type', async () => {
    const counts = await ask(
      tables,
      `SELECT (SELECT count(*) FROM "/robot1/imu") AS one, (SELECT count(*) FROM ROBOT1_IMU) AS same,
        (SELECT count(*) FROM imu) AS both, (SELECT count(*) FROM "sensor_msgs/msg/Imu" WHERE robot = 'robot2') AS two`,
    );
    const of = (robot: string): number => imu.filter(({ topic }) => topic === `/${robot}/imu`).length;
    assert.deepEqual(counts, [
      { one: of('robot1'), same: of('robot1'), both: imu.length, two: of('robot2') },
    ]);
  });

  it('exports only the topics the SQL names, and keeps them in the given folder', async () => {
    const kept = join(folder, 'kept');
    const sql = 'WITH imu AS (SELECT 1 AS scan) SELECT count(*) AS n FROM robot2_scan, imu';
    const [row] = await ask(recorded, sql, '--keep', kept);
    const { topics } = JSON.parse(await fs.readFile(join(kept, 'manifest.json'), 'utf8')) as {
      topics: { topic: string; sample_count: number; files: string[] }[];
    };
    assert.ok(topics.some(({ topic }) => topic === '/robot2/scan'));
    assert.ok(topics.every(({ topic }) => ['/robot2/scan', '/robot1/imu', '/robot2/imu'].includes(topic)));
    assert.ok(topics.every(({ files }) => files.length > 0));
    assert.deepEqual(await ask(kept, 'SELECT count(*) AS n FROM robot2_scan'), [row]);
  });

  it('restricts robots, topics and times the same way over an export and over a recording', async () => {
    const [first, last] = [imu[300]!.logTime, imu[900]!.logTime];
    const chosen = ['--robots', 'robot2', '--from-time', String(first), '--to-time', String(last)];
    const expected = imu.filter(
      ({ topic, logTime }) => topic.startsWith('/robot2') && logTime >= first && logTime <= last,
    );
    assert.ok(expected.length > 100);
    for (const from of [tables, recorded]) {
      const rows = await ask(from, 'SELECT count(*) AS n, min(robot) AS r FROM imu', ...chosen);
      assert.deepEqual(rows, [{ n: expected.length, r: 'robot2' }]);
      const { stderr } = await refusal(from, 'SELECT * FROM robot1_imu', ...chosen);
      assert.match(stderr, /robot1_imu does not exist/);
      assert.match(stderr, /views: .*robot2/);
    }
  });

  it('finds no rows of a topic without messages in the chosen time, and no topic of which it has no segment', async () => {
    const file = join(folder, 'two-topics.mcap');
    await fs.writeFile(
      file,
      await testMcap({
        topics: [{ topic: '/r/early' }, { topic: '/r/late' }],
        messages: 2,
        firstTime: 1_700_000_000_000_000_000n,
        stepNs: 100_000_000_000n,
      }),
    );
    const between = ['--from-time', '1700000010', '--to-time', '1700000020'];
    const sql = 'SELECT count(*) AS n, max(data) AS data FROM early';
    assert.deepEqual(await ask(file, sql, ...between), [{ n: 0, data: null }]);
    // Next to one that has rows, and as a part of a view of both.
    const joined = 'SELECT (SELECT count(*) FROM early) AS early, (SELECT count(*) FROM late) AS late';
    assert.deepEqual(await ask(file, joined, '--from-time', '1700000010'), [{ early: 0, late: 1 }]);
    const both = 'SELECT count(*) AS n FROM "std_msgs/msg/String"';
    assert.deepEqual(await ask(file, both, '--from-time', '1700000010'), [{ n: 1 }]);
    const { stderr } = await refusal(file, 'SELECT 1 FROM nowhere');
    assert.match(stderr, /views: .*early/);
  });

  it('finds no rows of a topic whose messages cannot be decoded, and reports that', async () => {
    const file = join(folder, 'opaque.mcap');
    const payload = (): Uint8Array => Buffer.from([0, 0x63, 0, 0, 1]);
    await fs.writeFile(file, await testMcap({ topics: [{ topic: '/r/opaque', payload }], messages: 3 }));
    const run = await runCli([
      'query',
      '--from',
      file,
      'SELECT count(*) AS n FROM opaque',
      '--output-format',
      'jsonl',
    ]);
    assert.equal(run.exitCode, 3, run.stderr);
    assert.equal(run.stdout, '{"n":0}\n');
    assert.match(run.stderr, /could not be read or decoded/);
  });

  it('finds a topic also in files that hold several, and wide tables by robot', async () => {
    const byType = join(folder, 'by-type');
    await exportTo(recorded, byType, { format: 'parquet', layout: '{type}', topics: ['*/imu', '*/odom'] });
    const [row] = await ask(byType, 'SELECT count(*) AS n, count(DISTINCT topic) AS topics FROM robot1_imu');
    assert.deepEqual(row, { n: imu.filter(({ topic }) => topic === '/robot1/imu').length, topics: 1 });
    const wide = join(folder, 'wide');
    await exportTo(recorded, wide, { format: 'parquet', align: '10', topics: ['*/imu'] });
    const rows = await ask(
      wide,
      'SELECT robot, count(*) > 100 AS many FROM aligned GROUP BY robot ORDER BY 1',
    );
    assert.deepEqual(rows, [
      { robot: 'robot1', many: true },
      { robot: 'robot2', many: true },
    ]);
    const half = ['--from-time', String(present(imu.at(-1)).logTime - 5_000_000_000n)];
    const [few] = firstOf(1, await ask(wide, 'SELECT count(*) AS n FROM robot1', ...half));
    assert.ok((few['n'] as number) > 40 && (few['n'] as number) < 60, JSON.stringify(few));
  });

  it('reads a folder of Parquet files without a manifest', async () => {
    const lake = join(folder, 'lake');
    await fs.cp(tables, lake, { recursive: true });
    await fs.rm(join(lake, 'manifest.json'));
    await fs.mkdir(join(lake, 'logs', 'run 1'), { recursive: true });
    const one = present(
      (await fs.readdir(join(lake, 'robot=robot1', 'topic=%2Frobot1%2Fbattery'), { recursive: true })).find(
        (name) => name.endsWith('.parquet'),
      ),
    );
    await fs.copyFile(
      join(lake, 'robot=robot1', 'topic=%2Frobot1%2Fbattery', one),
      join(lake, 'logs', 'run 1', 'a.parquet'),
    );
    const [row] = await ask(
      lake,
      'SELECT count(*) AS n, min(hour) AS hour, min(robot) AS robot FROM robot1_imu',
    );
    const n = imu.filter(({ topic }) => topic === '/robot1/imu').length;
    assert.deepEqual(row, { n, hour: '21', robot: 'robot1' });
    const [logs] = await ask(
      lake,
      'SELECT (SELECT count(*) FROM logs) = (SELECT count(*) FROM robot1_battery) AS same',
    );
    assert.deepEqual(logs, { same: true });
  });

  it('prints tables, CSV and JSON by the rules of the export', async () => {
    const sql = `SELECT 9223372036854775807 AS "big", 'NaN'::DOUBLE AS n, '-inf'::FLOAT AS i, 0.1::FLOAT AS f,
      TIMESTAMP_NS '2020-01-02 03:04:05.123456789' AS t, 'a "b"' AS s, '' AS e, NULL AS u, 'ab'::BLOB AS b,
      [1, NULL] AS l, {'x': 18446744073709551615::UBIGINT} AS o, '{"a":1}'::JSON AS j`;
    assert.equal(
      await answer(tables, sql, 'csv'),
      'big,n,i,f,t,s,e,u,b,l,o,j\n' +
        '9223372036854775807,NaN,-Infinity,0.1,2020-01-02T03:04:05.123456789Z,"a ""b""","",,YWI=,"[1,null]","{""x"":18446744073709551615}","{""a"":1}"\n',
    );
    assert.equal(
      await answer(tables, sql, 'json'),
      '[{"big":9223372036854775807,"n":"NaN","i":"-Infinity","f":0.1,"t":"2020-01-02T03:04:05.123456789Z","s":"a \\"b\\"","e":"","u":null,"b":"YWI=","l":[1,null],"o":{"x":18446744073709551615},"j":{"a":1}}]\n',
    );
    assert.match(
      await answer(tables, sql, 'table'),
      /^ *big +n +i +f +t.*\n9223372036854775807 +NaN +-Infinity +0\.1 +2020.*NULL/,
    );
    const limited = await answer(tables, 'SELECT * FROM range(500)', 'table', 3);
    assert.equal(limited, 'range\n    0\n    1\n    2\n... more rows than 3: --limit 0 gives all\n');
    const none = 'SELECT 1 AS a WHERE false';
    assert.equal(await answer(tables, none, 'json'), '[]\n');
    assert.equal(await answer(tables, none, 'csv'), 'a\n');
  });

  it('takes its SQL from a file, and reports its answer with --json', async () => {
    const file = join(folder, 'question.sql');
    await fs.writeFile(file, '-- all of it\nSELECT range AS r FROM range(5000);\n');
    const all = await runCli([
      'query',
      '--from',
      tables,
      '--file',
      file,
      '--output-format',
      'json',
      '--json',
    ]);
    const lines = all.stdout.trimEnd().split('\n');
    assert.deepEqual(all.json, { ok: true, rows: 5000, columns: ['r'] });
    assert.deepEqual(
      (JSON.parse(lines.slice(0, -1).join('\n')) as { r: number }[]).map(({ r }) => r),
      Array.from({ length: 5000 }, (_, i) => i),
    );
  });

  it('lists its views with names, types and columns', async () => {
    for (const from of [tables, recorded]) {
      const { json, stdout } = await runCli(['query', '--from', from, '--list', '--json']);
      const { views } = json as unknown as { views: { name: string; also: string[]; columns: object[] }[] };
      const view = present(views.find(({ name }) => name === '/robot1/imu'));
      assert.ok(view.also.includes('robot1_imu'), stdout);
      assert.ok(JSON.stringify(view.columns).includes('linear_acceleration.x'));
      assert.ok(views.some(({ name }) => name === 'imu'));
    }
  });

  it('reports an error in the SQL in DuckDB’s words, with exit code 2, and reads nothing for it', async () => {
    assert.match(
      (await refusal(recorded, 'SELEC 1')).stderr,
      /Parser Error: syntax error at or near "SELEC"/,
    );
    assert.match((await refusal(tables, 'SELECT nix FROM imu')).stderr, /Binder Error.*"nix"/);
    assert.match((await refusal(tables, "SELECT 'x'::INT")).stderr, /Conversion Error/);
    const none = await runCli(['query', '--from', tables]);
    assert.equal(none.exitCode, 2);
    const both = await runCli([
      'query',
      '--from',
      tables,
      'SELECT 1',
      '--limit',
      'x',
      '--output-format',
      'xml',
    ]);
    assert.equal(both.exitCode, 2);
    for (const word of ['--limit', '--output-format']) assert.match(both.stderr, new RegExp(word));
  });

  it('reads the files of its views and nothing else, and writes nothing', async () => {
    const secret = join(folder, 'secret.csv');
    await fs.writeFile(secret, 'a\n1\n');
    const path = present(
      (await fs.readdir(tables, { recursive: true })).find((name) => /Frobot1%2Fimu.*parquet$/.test(name)),
    );
    const own = join(tables, path);
    const before = await fs.stat(own);
    for (const sql of [
      `SELECT * FROM '${secret}'`,
      `SELECT * FROM read_text('${secret}')`,
      `SELECT * FROM glob('/*')`,
      `COPY (SELECT 1) TO '${join(folder, 'out.csv')}'`,
      `COPY (SELECT 1 FROM robot1_imu) TO '${own}' (FORMAT parquet)`,
      `EXPLAIN ANALYZE COPY (SELECT 1 FROM robot1_imu) TO '${own}' (FORMAT parquet)`,
      `ATTACH '${join(folder, 'out.db')}'`,
      `EXPORT DATABASE '${join(folder, 'out')}'`,
      `INSTALL httpfs`,
      `LOAD httpfs`,
      `SET enable_external_access = true`,
      `CREATE PERSISTENT SECRET s (TYPE http)`,
      `SELECT * FROM 'https://example.com/x.csv'`,
    ]) {
      await assert.rejects(
        answer(tables, sql, 'csv'),
        (error) => isHoldfastError(error, 'QUERY_INVALID'),
        sql,
      );
    }
    await refusal(tables, `SELECT * FROM '${secret}'`);
    const after = await fs.stat(own);
    assert.deepEqual([after.size, after.mtimeMs], [before.size, before.mtimeMs]);
    assert.deepEqual(
      (await fs.readdir(folder)).filter((name) => name.startsWith('out')),
      [],
    );
  });

  it('spills to disk within its memory limit, and leaves no temporary folder behind, also after Ctrl-C', async () => {
    const temporary = join(folder, 'tmp');
    await fs.mkdir(temporary);
    const env = { TMPDIR: temporary };
    const sorted = await runCli(
      [
        ...['query', '--from', recorded, '--memory-limit', '64MiB', '--output-format', 'csv'],
        `SELECT count(*) FROM (SELECT hash(range) AS h, repeat('x', 100) FROM range(1500000) ORDER BY h) WHERE h IS NOT NULL`,
      ],
      { env },
    );
    assert.equal(sorted.exitCode, 0, sorted.stderr);
    assert.match(sorted.stdout, /1500000/);
    assert.deepEqual(await fs.readdir(temporary), []);
    const { child, ended } = spawnCli(
      [
        'query',
        '--from',
        recorded,
        'SELECT sum(a.range + b.range) FROM imu, range(100000) a, range(100000) b',
      ],
      { env },
    );
    // The export is there: DuckDB is at it.
    await eventually(async () => {
      assert.equal(child.exitCode, null);
      const names = await fs.readdir(temporary, { recursive: true });
      return names.some((name) => name.endsWith('manifest.json'));
    });
    child.kill('SIGINT');
    assert.equal((await ended).exitCode, 130);
    assert.deepEqual(await fs.readdir(temporary), []);
  });

  it('fails with a clear error if the memory limit is too small for the query', async () => {
    const { exitCode, stderr } = await runCli([
      ...['query', '--from', tables, '--memory-limit', '64MiB', 'SELECT list(range) FROM range(100000000)'],
    ]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /QUERY_FAILED: Out of Memory Error/);
  });
});

function isoNs(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}
