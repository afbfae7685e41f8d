import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import { isHoldfastError } from '../../src/core/errors.js';
import type { RecorderStatus } from '../../src/core/status.js';
import { BackgroundExports } from '../../src/app/monitoring/background-exports.js';
import { systemClock } from '../../src/app/system/system-clock.js';
import { runCli } from '../support/cli.js';

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
      clock: systemClock,
      logger: { debug: note, info: note, warn: note, error: note },
      status: () => ({ disk: { freeBytes }, sealed: { segments, bytes: 1000 } }) as unknown as RecorderStatus,
    });
  const ended = async (): Promise<[string, Record<string, unknown>]> => {
    for (;;) {
      const last = said.at(-1)!;
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

  it('writes what was asked for into the data folder, in every format the page offers', async () => {
    await using exports = make();
    for (const format of ['mcap', 'rosbag2', 'parquet']) {
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

  it('runs one at a time, and ends with the recorder', async () => {
    const exports = make();
    await exports.start({ format: 'jsonl' });
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /under way/));
    await exports[Symbol.asyncDispose]();
    assert.notEqual(said.at(-1)?.[0], 'exporting');
  });

  it('refuses by name what is not allowed, and what the disk has no room for', async () => {
    await using exports = make();
    await assert.rejects(
      exports.start({ format: 'xls' }),
      code('REQUEST_INVALID', /format is "xls".*parquet/),
    );
    await assert.rejects(exports.start({ to: '/etc' }), code('REQUEST_INVALID', /to is "\/etc"/));
    await assert.rejects(exports.start({ after: 'noon' }), code('REQUEST_INVALID', /after is "noon"/));
    await assert.rejects(exports.start({ robot: '--to=/x' }), code('REQUEST_INVALID', /robot/));
    await assert.rejects(exports.start({ topics: ['-o'] }), code('REQUEST_INVALID', /topics/));
    freeBytes = 999;
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /999 bytes are free/));
    segments = 0;
    await assert.rejects(exports.start({}), code('STATE_REFUSED', /nothing is sealed/));
  });
});
