import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnCli } from '../../support/cli.js';

describe('the log of a process', function () {
  this.timeout(60_000);

  it('reports the state of its queue over HTTP, with and without a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-logging-'));
    /** What a recorder started on a folder of its own says of its log; with its log lines. */
    const loggingOf = async (name: string, ...flags: string[]): Promise<[object, string]> => {
      const data = join(folder, name);
      const started = spawnCli([
        ...['record', '--source', 'sim:?robots=1&topics=imu', '--data', data, '--no-foxglove'],
        ...['--web-port', '0', '--log-queue-lines', '1234', ...flags],
      ]);
      try {
        await started.waitFor(/dashboard url=\S+\s/);
        const url = /dashboard url=(\S+)/.exec(started.output())?.[1];
        const answer = await fetch(new URL('/system-resources', url));
        const { logging } = (await answer.json()) as { logging: object };
        return [logging, join(data, 'log', 'recorder.log')];
      } finally {
        started.child.kill('SIGKILL');
        await started.ended;
      }
    };
    try {
      let [logging, path] = await loggingOf('with');
      // Lines may wait at this moment; how many, nobody knows.
      const { queue_size: waiting, ...rest } = logging as { queue_size: number };
      assert.ok(Number.isInteger(waiting) && waiting >= 0 && waiting <= 1_234, String(waiting));
      assert.deepEqual(rest, { queue_maxsize: 1_234, log_file: path, listener_running: true });
      [logging, path] = await loggingOf('without', '--log-file', '');
      const nothing = { queue_size: 0, queue_maxsize: 0, log_file: null, listener_running: false };
      assert.deepEqual(logging, nothing);
      await assert.rejects(stat(path), { code: 'ENOENT' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('is whole, the error included, when the process dies of an uncaught error', async () => {
    const data = await mkdtemp(join(tmpdir(), 'holdfast-dying-'));
    try {
      const script = fileURLToPath(new URL(`./dying-process${extname(import.meta.url)}`, import.meta.url));
      const { status } = spawnSync(process.execPath, [...process.execArgv, script, data], {
        stdio: 'ignore',
      });
      assert.notEqual(status, 0);
      const lines = (await readFile(join(data, 'log', 'recorder.log'), 'utf8'))
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { n?: number; event: string });
      assert.deepEqual(
        lines.slice(0, 100).map(({ n }) => n),
        Array.from({ length: 100 }, (_, n) => n),
      );
      const last = JSON.stringify(lines.at(-1));
      for (const part of ['an uncaught error', 'the last straw', 'much before', 'dying-process']) {
        assert.ok(last.includes(part), part);
      }
      assert.equal(lines.length, 101);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});
