import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, testCacheFolder } from '../../support/cli.js';

const ROBOTS = 2_000;
/** What a process usually has. */
const DESCRIPTORS = 1_024;
/** What docs/limits.md states: 64 for objects or files, and what Node.js, LevelDB and the sockets take. */
const OPEN_MAX = 200;

const main = fileURLToPath(new URL('../../../src/app/main.js', import.meta.url));

interface Watched {
  readonly exitCode: number | null;
  readonly json: Record<string, unknown>;
  readonly stderr: string;
  /** Descriptors that were open at the same time. */
  readonly most: number;
}

/** Runs the command line with 1,024 descriptors and counts those it has open. */
async function watched(args: readonly string[]): Promise<Watched> {
  const limit = `ulimit -n ${DESCRIPTORS}; exec "$@"`;
  const child = spawn('/bin/sh', ['-c', limit, 'sh', process.execPath, main, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: testCacheFolder() },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout = (stdout + text).slice(-1_000_000)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4_000)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let most = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const open = await readdir(`/proc/${child.pid}/fd`).catch(() => []);
    most = Math.max(most, open.length);
    await sleep(10);
  }
  const exitCode = await ended;
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return { exitCode, json: JSON.parse(last) as Record<string, unknown>, stderr, most };
}

describe('2,000 robots in one segment, with 1,024 descriptors', function () {
  this.timeout(300_000);
  let folder: string;
  let data: string;
  let received: number;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-robots-'));
    data = join(folder, 'rec');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are recorded and sealed, every message, and few files are open at once', async () => {
    const source = `sim:?robots=${ROBOTS}&duration=1s&rate=max&topics=odom`;
    const { exitCode, json, stderr, most } = await watched([
      ...['record', '--source', source, '--data', data],
      ...['--segment-max-bytes', '1GiB', '--segment-max-age-ms', '600000'],
    ]);
    assert.equal(exitCode, 0, stderr);
    received = json['received'] as number;
    assert.ok(received >= ROBOTS, `${received} messages`);
    assert.equal(json['durable'], received);
    assert.equal(json['waitingSegments'], 0);
    assert.doesNotMatch(stderr, /EMFILE/);
    assert.ok(most <= OPEN_MAX, `${most} descriptors`);
    const names = (await readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.mcap'));
    assert.equal(names.length, ROBOTS);
    const verify = await runCli(['verify', data, '--json']);
    assert.equal(verify.exitCode, 0, verify.stderr);
    assert.equal((jsonOf(verify)['totals'] as { messages: number }).messages, received);
  });

  for (const format of ['parquet', 'mcap']) {
    it(`are exported as ${format}, one file each, and few files are open at once`, async () => {
      const { exitCode, json, stderr, most } = await watched([
        ...['export', '--from', data, '--to', join(folder, format), '--format', format],
        ...['--layout', format === 'mcap' ? '{robot}' : '{robot}/{topic}'],
      ]);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual([json['num_records'], json['files']], [received, ROBOTS]);
      assert.ok(most <= OPEN_MAX, `${most} descriptors`);
    });
  }

  it('are asked about in SQL and reported on, and few files are open at once', async () => {
    const query = await watched(['query', 'select count(*) as n from odom', '--from', data]);
    assert.equal(query.exitCode, 0, query.stderr);
    assert.ok(query.most <= OPEN_MAX, `${query.most} descriptors`);
    const report = await watched(['report', '--from', data, '--output', join(folder, 'report.html')]);
    assert.ok(report.exitCode === 0 || report.exitCode === 3, report.stderr);
    assert.ok(report.most <= OPEN_MAX, `${report.most} descriptors`);
  });
});
