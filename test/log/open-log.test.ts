import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { packageRoot } from '../../src/host/version.js';
import { openLog, type LogOptions } from '../../src/log/entry.js';
import type { ConfigFault } from '../../src/settings/fault.js';

const entry = new URL(`../../src/log/entry${extname(import.meta.url)}`, import.meta.url);

describe('the library entrance holdfast/log', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is what package.json exports', () => {
    const text = readFileSync(join(packageRoot, 'package.json'), 'utf8');
    const { exports } = JSON.parse(text) as { exports: Record<string, { types: string; default: string }> };
    assert.deepEqual(exports['./log'], {
      types: './dist/src/log/entry.d.ts',
      default: './dist/src/log/entry.js',
    });
  });

  it('runs the example of its page', () => {
    const page = readFileSync(join(packageRoot, 'docs', 'logs.md'), 'utf8');
    const [example] = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
    assert.ok(example !== undefined);
    const program = example.replaceAll("'holdfast/log'", `'${entry.href}'`);
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim(), '1 written, 0 dropped');
    assert.match(readFileSync(join(folder, 'log', 'planner.log'), 'utf8'), /"event":"route planned"/);
  });

  it('queues 10,000 lines, drops and counts further ones, and writes the queued ones', async () => {
    const file = join(folder, 'deep', 'program.log');
    const log = openLog({ file, role: 'program' });
    for (let n = 0; n < 10_050; n++) log.info('line', { n });
    const { queuedLines, queueMaxLines, droppedLines, listenerRunning } = log.stats();
    assert.deepEqual([queuedLines, queueMaxLines, droppedLines, listenerRunning], [10_000, 10_000, 50, true]);
    await log.close();
    await log.close();
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 10_000);
    assert.deepEqual([log.stats().writtenLines, log.stats().queuedLines], [10_000, 0]);
  });

  it('reports all faults of its options at once', () => {
    const wrong = { file: '', level: 'loud', kept: 0, queueLines: 1.5 } as unknown as LogOptions;
    assert.throws(
      () => openLog(wrong),
      (error) => {
        assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
        const paths = (error.facts['faults'] as readonly ConfigFault[]).map(({ path }) => path);
        assert.deepEqual(paths, ['file', 'level', 'kept', 'queueLines']);
        return true;
      },
    );
  });
});
