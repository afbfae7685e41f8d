import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBenchOptions } from '../../bench/bench-options.js';
import { packageRoot } from '../../src/host/version.js';

describe('the command line of the benchmarks', () => {
  const known = ['wal', 'sync'];
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-options-'));
  });
  afterEach(async () => {
    // Only root empties a folder that nobody may write to.
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  });

  async function refusalOf(args: string[]): Promise<string> {
    const answer = await readBenchOptions(args, known);
    assert.ok(typeof answer === 'string', `${args.join(' ')} is accepted`);
    return answer;
  }

  it('names a path that is missing or not a folder, and what to do', async () => {
    const missing = join(folder, 'missing');
    assert.equal(
      await readBenchOptions(['--folder', missing], known),
      `--folder ${missing} does not exist; create it with mkdir -p, or name another`,
    );
    const file = join(folder, 'file');
    await writeFile(file, '');
    assert.match(await refusalOf(['--folder', file]), /is no folder/);
    await chmod(folder, 0o500);
    // Root may write everywhere.
    if (process.getuid?.() !== 0)
      assert.match(await refusalOf(['--folder', folder]), /cannot be written \(EACCES\)/);
  });

  it('refuses numbers, names and options that mean nothing, in one line each', async () => {
    for (const args of [['--rounds', 'many'], ['--rounds', '0'], ['--scale', '-1'], ['wall'], ['--fast']]) {
      assert.match(await refusalOf(args), /allowed: /, args.join(' '));
    }
  });

  it('runs everything in the folder it was given', async () => {
    assert.deepEqual(await readBenchOptions(['--folder', folder], known), {
      names: known,
      rounds: 5,
      scale: 1,
      folder,
    });
  });
});

describe('npm run bench', function () {
  this.timeout(180_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const bench = (...args: string[]): SpawnSyncReturns<string> =>
    spawnSync('npm', ['run', '--silent', 'bench', '--', ...args], { cwd: packageRoot, encoding: 'utf8' });

  it('measures the operational log and saves the result', async () => {
    const { status, stdout, stderr } = bench('log', '--rounds', '1', '--scale', '0.01', '--folder', folder);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^log: [\d.]+ us per call/m);
    const saved = /^saved as (.+)$/m.exec(stdout)?.[1];
    assert.ok(saved !== undefined, stdout);
    const path = join(packageRoot, saved);
    try {
      const report = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      assert.deepEqual([report['rounds'], report['scale']], [1, 0.01]);
      const { logCallUs, dropped } = report['log'] as Record<string, number>;
      assert.ok(logCallUs !== undefined && logCallUs > 0);
      assert.equal(dropped, 0);
    } finally {
      await rm(path, { force: true });
    }
    assert.deepEqual(await readdir(folder), [], 'it leaves nothing in the folder');
  });

  it('ends with one line, and no stack trace, for a folder that is missing', () => {
    const missing = join(folder, 'missing');
    const { status, stdout, stderr } = bench('log', '--folder', missing);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    const expected = `--folder ${missing} does not exist; create it with mkdir -p, or name another\n`;
    assert.equal(stderr, expected);
  });
});
