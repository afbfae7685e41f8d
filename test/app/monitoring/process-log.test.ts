import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

describe('the log of a process', function () {
  this.timeout(30_000);

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
