import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBenchOptions } from '../../bench/bench-options.js';
import { isAnswer, type Answer } from '../../bench/command-line.js';
import { readRosBenchOptions } from '../../bench/ros/ros-bench-options.js';
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
    assert.ok(isAnswer(answer), `${args.join(' ')} is accepted`);
    assert.equal(answer.exitCode, 2);
    return answer.text;
  }

  it('names a path that is missing or not a folder, and what to do', async () => {
    const missing = join(folder, 'missing');
    assert.equal(
      await refusalOf(['--folder', missing]),
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
      assert.match(await refusalOf(args), /^.*allowed: .*$/, args.join(' '));
    }
  });

  it('tells its options and benchmarks', async () => {
    for (const args of [['--help'], ['wal', '-h'], ['--fast', '--help']]) {
      const { exitCode, text } = (await readBenchOptions(args, known)) as Answer;
      assert.equal(exitCode, 0);
      for (const word of ['--rounds N', '--scale X', '--folder DIR', 'wal sync'])
        assert.ok(text.includes(word));
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

describe('the command line of the benchmarks against ros2 bag', () => {
  it('refuses numbers, names and options that mean nothing, in one line each', async () => {
    for (const args of [
      ...[
        ['--rounds', '1.5'],
        ['--scale', 'big'],
        ['--warm-up', '-1'],
        ['--recorder', 'tape'],
        ['--only', 'no'],
      ],
      ...[['wal'], ['--fast'], ['--rounds'], ['--steady=2']],
    ]) {
      const answer = await readRosBenchOptions(args);
      assert.ok(isAnswer(answer), `${args.join(' ')} is accepted`);
      assert.equal(answer.exitCode, 2);
      assert.match(answer.text, /^.*allowed: .*$/);
    }
  });

  it('chooses loads by a part of their names, and recorders', async () => {
    const answer = await readRosBenchOptions([
      '--only',
      'kB',
      '--recorder',
      'floor',
      '--steady',
      '--rounds',
      '1',
    ]);
    assert.ok(!isAnswer(answer));
    const { loads, withKill, recorders, steady, rounds, scale, warmUpSeconds } = answer;
    assert.ok(loads.length > 0 && loads.every(({ name }) => name.includes('kB')));
    assert.deepEqual([withKill, recorders, steady], [true, ['floor'], true]);
    assert.deepEqual([rounds, scale, warmUpSeconds], [1, 1, 6]);
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

  for (const script of ['bench', 'bench:ros']) {
    it(`answers --help and an unknown option (${script})`, () => {
      const run = (option: string): SpawnSyncReturns<string> =>
        spawnSync('npm', ['run', '--silent', script, '--', option], { cwd: packageRoot, encoding: 'utf8' });
      const help = run('--help');
      assert.deepEqual([help.status, help.stderr], [0, '']);
      assert.match(help.stdout, new RegExp(`^npm run ${script} -- `));
      const unknown = run('--fast');
      assert.deepEqual([unknown.status, unknown.stdout], [2, '']);
      assert.match(unknown.stderr, /^Unknown option '--fast'; allowed: --rounds, .*--help\n$/);
    });
  }

  it('ends with one line, and no stack trace, for a folder that is missing', () => {
    const missing = join(folder, 'missing');
    const { status, stdout, stderr } = bench('log', '--folder', missing);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    const expected = `--folder ${missing} does not exist; create it with mkdir -p, or name another\n`;
    assert.equal(stderr, expected);
  });
});
