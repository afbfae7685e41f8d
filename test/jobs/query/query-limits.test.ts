import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnCli, type CliRun } from '../../support/cli.js';
import { duckdb } from '../../support/duckdb.js';

const MIB = 1024 * 1024;
const LIMIT_MIB = 256;
/** What the process may take beside DuckDB's limit, as docs/query.md states. */
const OVERHEAD_MIB = 512;
const SECRET = 'SECRET-OF-THE-STORE';

interface Watched extends CliRun {
  /** The most memory the process that runs the SQL had, bytes. */
  readonly peakBytes: number;
  /** Its environment. */
  readonly environment: string;
}

function fieldOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
}

/** Runs a query and watches the process it starts. */
async function watched(from: string, sql: string, ...rest: string[]): Promise<Watched> {
  const args = ['query', '--from', from, sql, '--memory-limit', `${LIMIT_MIB}MiB`, ...rest];
  const cli = spawnCli(args, { env: { AWS_SECRET_ACCESS_KEY: SECRET } });
  let [peakBytes, environment] = [0, ''];
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        if (fieldOf(status, 'PPid') !== cli.child.pid) continue;
        peakBytes = Math.max(peakBytes, fieldOf(status, 'VmHWM') * 1024);
        environment = readFileSync(`/proc/${pid}/environ`, 'utf8') || environment;
      } catch {
        // It has ended.
      }
    }
  };
  const timer = setInterval(look, 20);
  try {
    return { ...(await cli.ended), peakBytes, environment };
  } finally {
    clearInterval(timer);
  }
}

describe('a query of somebody else', function () {
  // Each question is a process of its own.
  this.timeout(180_000);
  let folder: string;
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-limits-'));
    const connection = await duckdb();
    await connection.run(
      `COPY (SELECT 1 AS n, '=1+1' AS formula, '-5' AS text, -5 AS number) TO '${folder}/t.parquet'`,
    );
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  const hostile = [
    'SELECT list(n) FROM (SELECT unnest(range(100000000)) AS n)',
    "SELECT repeat('x', 1500000000)",
    "SELECT repeat('x', 400000000) || repeat('y', 400000000) || repeat('z', 400000000)",
    "SELECT string_agg(repeat('x', 1000000)) FROM range(10000)",
    'SELECT a.range, count(*) FROM range(100000000) a, range(100000000) b GROUP BY ALL',
  ];

  for (const sql of hostile) {
    it(`takes no more memory and time than it may: ${sql}`, async () => {
      const run = await watched(folder, sql, '--output-format', 'csv', '--limit', '5', '--timeout', '10s');
      assert.ok(run.exitCode === 0 || run.exitCode === 1, `${run.exitCode}: ${run.stderr}`);
      assert.doesNotMatch(run.stderr, /^ {4}at |unexpected/m);
      if (run.exitCode === 1) assert.match(run.stderr, /^holdfast: QUERY_FAILED: /);
      assert.ok(run.peakBytes > 20 * MIB, 'the process was seen');
      const peak = Math.round(run.peakBytes / MIB);
      assert.ok(peak <= LIMIT_MIB + OVERHEAD_MIB, `${peak} MiB`);
    });
  }

  it('streams a hundred million rows', async () => {
    const sql = 'SELECT n FROM (SELECT unnest(range(100000000)) AS n) WHERE n % 10000000 = 0';
    const run = await watched(folder, sql, '--output-format', 'csv', '--memory-limit', '1GiB');
    assert.equal(run.exitCode, 0, run.stderr);
    assert.equal(run.stdout.trim().split('\n').length, 11);
  });

  it('ends when its time is over, and reports that', async () => {
    const sql = 'SELECT count(*) FROM range(100000000) a, range(100000000) b';
    const run = await watched(folder, sql, '--timeout', '2s');
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /QUERY_FAILED: the query took longer than 2000 ms/);
  });

  it('names the allowed times', async () => {
    const run = await watched(folder, 'SELECT 1', '--timeout', 'long');
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /--timeout: timeout is "long"; allowed: a time such as 30s/);
  });

  it('gets every type of DuckDB as text', async () => {
    for (const format of ['table', 'csv', 'json', 'jsonl']) {
      const run = await watched(folder, 'SELECT * FROM test_all_types()', '--output-format', format);
      assert.equal(run.exitCode, 0, run.stderr);
      if (format === 'json') assert.equal((JSON.parse(run.stdout) as unknown[]).length, 3);
    }
  });

  it('runs in a process that knows no credentials', async () => {
    const run = await watched(folder, 'SELECT count(*) FROM range(300000000)');
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.environment, /PATH=/);
    assert.doesNotMatch(run.environment, new RegExp(SECRET));
  });

  it('gives CSV whose texts no spreadsheet takes for formulas, if asked to', async () => {
    const sql = 'SELECT formula, text, number FROM t';
    const plain = await watched(folder, sql, '--output-format', 'csv');
    assert.equal(plain.stdout, 'formula,text,number\n=1+1,-5,-5\n');
    const guarded = await watched(folder, sql, '--output-format', 'csv', '--guard-formulas');
    assert.equal(guarded.stdout, "formula,text,number\n'=1+1,'-5,-5\n");
  });
});
