import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import type { ErrorCode } from '../../../src/core/error-catalogue.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { BackgroundExports } from '../../../src/app/monitoring/background-exports.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { runCli } from '../../support/cli.js';

const code = (expected: ErrorCode, says: RegExp) => (error: unknown) => {
  assert.ok(isHoldfastError(error, expected), String(error));
  assert.match(String(error), says);
  return true;
};

describe('Exports beside a recording', function () {
  this.timeout(120_000);
  let data: string;
  let said: [string, Record<string, unknown>][];
  let told: () => void = () => undefined;
  let freeBytes = 1e12;
  let segments = 1;

  const note = (message: string, facts: Record<string, unknown> = {}): void => {
    said.push([message, facts]);
    told();
  };
  const make = (): BackgroundExports =>
    new BackgroundExports({
      data,
      fs,
      clock: systemClock,
      logger: { debug: note, info: note, warn: note, error: note },
      status: () => ({ disk: { freeBytes }, sealed: { segments, bytes: 1000 } }) as unknown as RecorderStatus,
    });
  const ended = async (): Promise<[string, Record<string, unknown>]> => {
    for (;;) {
      const last = present(said.at(-1));
      if (last[0] !== 'exporting') return last;
      await new Promise<void>((done) => (told = done));
    }
  };

  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'holdfast-exports-'));
    const run = await runCli([
      ...['record', '--source', 'sim:?robots=2&duration=3s', '--data', data],
      ...['--no-web', '--no-foxglove'],
    ]);
    assert.equal(run.exitCode, 0, run.stderr);
  });
  after(() => rm(data, { recursive: true, force: true }));
  beforeEach(() => {
    said = [];
    freeBytes = 1e12;
    segments = 1;
  });

  it('writes the requested export into the data folder, in every format of the page', async () => {
    await using exports = make();
    assert.deepEqual(exports.formats, ['mcap', 'rosbag2', 'parquet', 'csv', 'jsonl', 'numpy', 'tfrecord']);
    for (const format of exports.formats) {
      const { to } = await exports.start({ format, robot: 'robot1' });
      const [message, facts] = await ended();
      assert.equal(message, 'exported', JSON.stringify(facts));
      const files = (await readdir(to, { recursive: true })).join('\n');
      if (format === 'rosbag2') assert.match(files, /^metadata\.yaml$/m);
      else {
        const manifest = JSON.parse(await readFile(join(to, 'manifest.json'), 'utf8')) as {
          num_records: number;
          topics: { topic: string }[];
        };
        assert.ok(manifest.num_records > 0);
        assert.ok(manifest.topics.every(({ topic }) => !topic.startsWith('/robot2/')));
      }
      said = [];
    }
  });

  it('compresses Parquet as asked, in row groups of the size asked for', async () => {
    await using exports = make();
    const topics = ['*/odom'];
    const { to } = await exports.start({ format: 'parquet', compression: 'snappy', row_group: 10, topics });
    const [message, facts] = await ended();
    assert.equal(message, 'exported', JSON.stringify(facts));
    const groups = await rowsOf(
      await duckdb(),
      `SELECT DISTINCT compression, row_group_num_rows AS rows FROM parquet_metadata('${to}/**/*.parquet')`,
    );
    assert.ok(groups.length > 0);
    for (const { compression, rows } of groups) {
      assert.equal(compression, 'SNAPPY');
      assert.ok((rows as bigint) <= 10n);
    }
  });

  it('makes the folder for exports when the first one is a rosbag2 folder', async () => {
    await rm(join(data, 'exports'), { recursive: true, force: true });
    await using exports = make();
    await exports.start({ format: 'rosbag2' });
    const [message, facts] = await ended();
    assert.equal(message, 'exported', JSON.stringify(facts));
  });

  it('runs one at a time, and ends with the recorder', async () => {
    const exports = make();
    await exports.start({ format: 'jsonl' });
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /under way/));
    await exports[Symbol.asyncDispose]();
    assert.notEqual(said.at(-1)?.[0], 'exporting');
  });

  it('refuses invalid requests, and exports for which the disk has no room, by name', async () => {
    await using exports = make();
    await assert.rejects(
      exports.start({ format: 'xls' }),
      code('REQUEST_INVALID', /format is "xls".*parquet/),
    );
    await assert.rejects(exports.start({ to: '/etc' }), code('REQUEST_INVALID', /to is "\/etc"/));
    await assert.rejects(exports.start({ after: 'noon' }), code('REQUEST_INVALID', /after is "noon"/));
    await assert.rejects(exports.start({ robot: '--to=/x' }), code('REQUEST_INVALID', /robot/));
    await assert.rejects(
      exports.start({ format: 'rosbag2', session: 'latest' }),
      code('REQUEST_INVALID', /session/),
    );
    for (const request of [
      { compression: 'zstd' },
      { format: 'parquet', compression: 'lz4' },
      { format: 'parquet', compression: '--to=/x' },
    ]) {
      await assert.rejects(
        exports.start(request),
        code('REQUEST_INVALID', /compression .*zstd, snappy, none/),
      );
    }
    for (const request of [
      { row_group: 5 },
      { format: 'parquet', row_group: 0 },
      { format: 'parquet', row_group: 'x' },
    ]) {
      await assert.rejects(
        exports.start(request),
        code('REQUEST_INVALID', /row_group .*whole number of rows from 1/),
      );
    }
    await assert.rejects(exports.start({ topics: ['-o'] }), code('REQUEST_INVALID', /topics/));
    freeBytes = 999;
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /999 bytes are free/));
    segments = 0;
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /nothing is sealed/));
  });
});
