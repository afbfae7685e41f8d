import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { FileSystem } from '../../../src/core/file-system.js';
import { silentLogger } from '../../../src/core/logger.js';
import { loadDuckDb } from '../../../src/jobs/query/duckdb-library.js';
import { QuerySession } from '../../../src/jobs/query/query-session.js';
import { KEEP_FREE_BYTES, recordingSource } from '../../../src/jobs/query/temporary-export.js';
import { planViews, sqlName, type QueryTable } from '../../../src/jobs/query/view-plan.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { recording } from '../../support/recordings.js';
import { segmentsOf } from '../export/export-support.js';
import { sleep } from '../../../src/testing/waiting.js';

const table = (robot: string, topic: string, type = 'a/msg/A'): QueryTable => ({ robot, topic, type });
const namesOf = (tables: readonly QueryTable[]): string[] => planViews(tables).map(({ name }) => name);

describe('the views of a query', () => {
  it('are named by topic, identifier, topic of all robots, and type', () => {
    const views = planViews([table('r1', '/r1/cam/image'), table('r2', '/r2/cam/image')]);
    assert.deepEqual(
      views.map(({ name, tables }) => [name, tables.length]),
      [
        ['/r1/cam/image', 1],
        ['/r2/cam/image', 1],
        ['r1_cam_image', 1],
        ['r2_cam_image', 1],
        ['cam_image', 2],
        ['a/msg/A', 2],
      ],
    );
  });

  it('have no short name that means two types, and no two names that differ by case only', () => {
    assert.ok(!namesOf([table('r1', '/r1/x', 'a'), table('r2', '/r2/x', 'b')]).includes('x'));
    assert.ok(!namesOf([table('r', '/a/b', 'a'), table('r', '/a_b', 'b')]).includes('a_b'));
    const names = namesOf([table('', '/IMU', 'a'), table('', '/imu', 'b'), table('', '')]);
    assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
    assert.ok(names.includes('/IMU') && !names.includes(''));
  });

  it('are quoted if SQL wants it', () => {
    assert.deepEqual(['imu', '/a "b"', '1x'].map(sqlName), ['imu', '"/a ""b"""', '"1x"']);
  });
});

describe('a query session', () => {
  it('knows which tables SQL reads, and rather too many if DuckDB does not tell', async () => {
    const spillFolder = await fs.mkdtemp(join(tmpdir(), 'holdfast-session-'));
    const { signal } = new AbortController();
    const options = { memoryLimitBytes: 2 ** 28, spillFolder, signal };
    await using session = await QuerySession.open(await loadDuckDb(), options);
    const known = ['/r/imu', 'imu', 'odom', 'tf', 'a"b'];
    const names = async (sql: string): Promise<string[]> =>
      [...(await session.tableNames(sql, known))].sort();
    assert.deepEqual(await names('SELECT imu FROM "/r/imu" ASOF JOIN Odom USING (t)'), ['/r/imu', 'odom']);
    assert.deepEqual(await names('SELECT * FROM (FROM tf) WHERE x IN (SELECT y FROM "a""b"); DESCRIBE imu'), [
      'a"b',
      'imu',
      'tf',
    ]);
    assert.deepEqual(await names("SELECT 'odom' AS tf"), []);
    assert.deepEqual(await names('EXPLAIN SELECT * FROM imu'), ['imu']);
    assert.deepEqual(await names('PIVOT odom ON imux USING count(*)'), ['odom']);
    assert.deepEqual(await names(`FROM query_table('tf')`), ['tf']);
    assert.deepEqual(await names(`CREATE TABLE x AS FROM "a""b"`), ['a"b']);
    await assert.rejects(names('SELEC'), (error) => isHoldfastError(error, 'QUERY_INVALID'));
    await fs.rm(spillFolder, { recursive: true });
  });

  it('reports in one line that DuckDB cannot be loaded', async () => {
    const missing = (): Promise<never> =>
      Promise.reject(new Error('libduckdb.so: no such file\nRequire stack:\n- x'));
    await assert.rejects(loadDuckDb(missing), (error) => {
      assert.ok(isHoldfastError(error, 'QUERY_UNAVAILABLE'));
      assert.match(
        error.message,
        /^DuckDB cannot be loaded \(npm install @duckdb\/node-api\): libduckdb\.so: no such file$/,
      );
      return true;
    });
  });
});

describe('the temporary export of a query', function () {
  this.timeout(60_000);

  it('begins on no full disk, and ends before it fills one', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-full-'));
    await using files = new FilePool(fs);
    const segments = await segmentsOf(files, recording('two_robots'));
    let looks = 0;
    for (const fullAfter of [0, 1]) {
      looks = 0;
      const statfs = async (path: string): Promise<unknown> => {
        const bavail = looks++ < fullAfter ? KEEP_FREE_BYTES : KEEP_FREE_BYTES - 1;
        return Object.assign(await fs.statfs(path), { bsize: 1, bavail });
      };
      // Slow enough to be looked at while it runs.
      const open = async (...given: Parameters<FileSystem['open']>): ReturnType<FileSystem['open']> => {
        await sleep(100);
        return fs.open(...given);
      };
      const wrapped = { ...fs, statfs, open } as unknown as FileSystem;
      const source = await recordingSource({
        from: 'x',
        segments,
        listingProblems: [],
        filter: {},
        folder: join(folder, String(fullAfter)),
        ports: { clock: systemClock, fs: wrapped, random: randomBytes, logger: silentLogger, hostname: 'h' },
        signal: new AbortController().signal,
        onProblem: () => {},
        onProgress: () => {},
      });
      await fs.mkdir(join(folder, String(fullAfter)));
      await assert.rejects(source.prepare(source.tables), (error) => isHoldfastError(error, 'DISK_FULL'));
      assert.ok(looks > fullAfter);
    }
    await fs.rm(folder, { recursive: true });
  });
});
