import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

const read = (name: string): string => readFileSync(join(packageRoot, name), 'utf8');

describe('the test runner', function () {
  this.timeout(60_000);

  it('finds programs in the sbin folders with the PATH of an ordinary user', () => {
    const { require: modules } = JSON.parse(read('.mocharc.json')) as { require: string[] };
    const imports = modules.flatMap((name) => ['--import', name]);
    const { stdout, stderr } = spawnSync(process.execPath, [...imports, '-p', 'process.env.PATH'], {
      cwd: packageRoot,
      encoding: 'utf8',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    });
    const folders = stdout.trim().split(':');
    for (const folder of ['/usr/local/sbin', '/usr/sbin', '/sbin']) {
      assert.ok(folders.includes(folder), `${folder} is not on ${stdout} ${stderr}`);
    }
    assert.equal(folders[0], '/usr/local/bin', 'what the user has chosen comes first');
  });

  it('has a floor of line coverage for every layer', () => {
    const floors = JSON.parse(read('coverage.json')) as Record<string, number>;
    const folders = readdirSync(join(packageRoot, 'src'), { withFileTypes: true });
    const layers = folders.filter((one) => one.isDirectory()).map(({ name }) => name);
    assert.deepEqual(Object.keys(floors).sort(), layers.sort());
    for (const [layer, floor] of Object.entries(floors)) assert.ok(floor >= 50 && floor <= 100, layer);
  });

  it('counts a layer below its floor of line coverage as failed, and names it at the end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'));
    const report = join(folder, 'report.json');
    const tally = join(folder, 'tally');
    writeFileSync(report, JSON.stringify({ passed: 7, failed: 0, skipped: [] }));
    const program = `import { belowFloor } from './bin/coverage.mjs';
      import { judgeTests } from './bin/judge-tests.mjs';
      const low = belowFloor([['a', 94], ['b', 89.96], ['c', 99]], { a: 94, b: 90 });
      console.log(judgeTests(${JSON.stringify(report)}, [], low));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: packageRoot,
      encoding: 'utf8',
      env: { ...process.env, HOLDFAST_TEST_TALLY: tally },
    });
    const { failed, failures } = JSON.parse(readFileSync(tally, 'utf8')) as {
      failed: number;
      failures: unknown;
    };
    rmSync(folder, { recursive: true });
    assert.match(stdout, /7 passed, 2 failed, 0 skipped\nfalse/);
    assert.equal(failed, 2);
    assert.deepEqual(failures, [
      { title: 'line coverage of src/b', error: '90.0 %, its floor in coverage.json is 90 %' },
      { title: 'line coverage of src/c', error: 'it has no floor in coverage.json' },
    ]);
  });

  describe('choosing tests for another version of Node.js', () => {
    const times = {
      'test/core/a.test.ts': 10,
      'test/core/b.test.ts': 900,
      'test/seal/a.test.ts': 700,
      'test/seal/b.test.ts': 5_000,
      'test/wal/a.test.ts': 300,
      'test/wal/b.test.ts': 400,
    };
    const files = Object.keys(times);
    const short = (list: readonly string[], budgetMs: number): unknown => {
      const program = `import { shortTests } from './bin/short-tests.mjs';
        process.stdout.write(JSON.stringify(shortTests(${JSON.stringify(list)}, ${JSON.stringify(times)}, ${budgetMs})))`;
      const args = ['--input-type=module', '-e', program];
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: packageRoot, encoding: 'utf8' });
      assert.equal(stderr, '');
      return JSON.parse(stdout) as unknown;
    };

    it('takes the quickest file of every folder at any cost', () => {
      const quickest = ['test/core/a.test.ts', 'test/seal/a.test.ts', 'test/wal/a.test.ts'];
      assert.deepEqual(short(files, 0), quickest);
      assert.deepEqual(
        short([...files, 'test/core/new.test.ts'], 0),
        quickest,
        'new is not known to be quick',
      );
      assert.deepEqual(short(['test/new/a.test.ts'], 0), ['test/new/a.test.ts'], 'its folder has no other');
    });

    it('spends the budget on the folders nearest to Node.js first, and then on quick files', () => {
      const spent = 10 + 700 + 300;
      assert.deepEqual(
        short(files, spent + 900),
        files.filter((file) => !['test/core/b.test.ts', 'test/seal/b.test.ts'].includes(file)),
      );
      assert.deepEqual(
        short(files, spent + 400 + 900),
        files.filter((file) => file !== 'test/seal/b.test.ts'),
      );
      assert.deepEqual(short(files, Infinity), files);
    });
  });

  it('leaves how long each file of tests took', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-times-'));
    const report = join(folder, 'report.json');
    const file = join(folder, 'slow.test.cjs');
    writeFileSync(
      file,
      `const { setTimeout: wait } = require('node:timers/promises');
      describe('slow', () => { before(() => wait(120)); it('is', () => wait(80)); });`,
    );
    const reporter = join(packageRoot, 'dist', 'test', 'support', 'honest-reporter.js');
    const mocha = join(packageRoot, 'node_modules', 'mocha', 'bin', 'mocha.js');
    spawnSync(process.execPath, [mocha, '--no-config', '--reporter', reporter, file], {
      env: { ...process.env, HOLDFAST_TEST_REPORT: report },
    });
    const { fileTimes } = JSON.parse(readFileSync(report, 'utf8')) as { fileTimes: Record<string, number> };
    rmSync(folder, { recursive: true });
    assert.deepEqual(Object.keys(fileTimes), [file]);
    assert.ok(fileTimes[file]! >= 190, `${fileTimes[file]} ms`);
  });

  it('refuses an invalid version of Node.js', () => {
    const args = [join('bin', 'test.mjs'), '--node', 'latest', 'test/bin'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: packageRoot, encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /--node is "latest", allowed: a major version such as 26/);
  });

  it('closes several runs with what failed and one line, their sum', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tally-'));
    const tally = join(folder, 'tally');
    writeFileSync(
      tally,
      '{"passed":2,"failed":0,"skipped":1,"unstable":[{"title":"a page","error":"late"}]}\n{"passed":40,"failed":1,"skipped":0,"failures":[{"title":"a disk","error":"full"}]}\n{"passed":1,"failed":0,"skipped":0}\n',
    );
    const { stdout, status } = spawnSync(process.execPath, [join('.ci', 'sum-tests.mjs'), tally], {
      cwd: packageRoot,
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    assert.equal(status, 0);
    assert.equal(
      stdout.trim(),
      'passed only at the second attempt:\n  a page\n      late\n\nwhat failed, over all runs:\n  a disk\n      full\n\n43 passed, 1 failed, 1 skipped',
    );
  });

  describe('a second attempt', () => {
    const failure = (file: string, title: string): object => ({ file, title, error: 'too late' });
    const evaluated = (expression: string): unknown => {
      const program = `import { filesToRepeat, withSecondAttempt } from './bin/second-attempt.mjs';
        process.stdout.write(JSON.stringify(${expression}))`;
      const args = ['--input-type=module', '-e', program];
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: packageRoot, encoding: 'utf8' });
      assert.equal(stderr, '');
      return JSON.parse(stdout) as unknown;
    };
    const repeated = (failures: readonly object[]): unknown =>
      evaluated(`filesToRepeat(${JSON.stringify({ failures })})`);

    it('is for the files of at most three failures, each of a known file', () => {
      const failures = ['one', 'two', 'three'].map((title) => failure('a.js', title));
      assert.deepEqual(repeated([]), []);
      assert.deepEqual(repeated(failures), ['a.js']);
      assert.deepEqual(repeated([...failures, failure('b.js', 'four')]), []);
      assert.deepEqual(repeated([{ title: 'a hook of all files', error: 'broken' }]), []);
    });

    it('is named in the report, and keeps what failed again', () => {
      const failures = [failure('a.js', 'once'), failure('b.js', 'twice')];
      const first = { passed: 5, failed: 2, skipped: [], failures };
      const second = { passed: 3, failed: 1, skipped: [], failures: [failure('b.js', 'another of b')] };
      assert.deepEqual(evaluated(`withSecondAttempt(${JSON.stringify(first)}, ${JSON.stringify(second)})`), {
        ...first,
        passed: 6,
        failed: 1,
        failures: [failures[1]],
        unstable: [failures[0]],
      });
    });
  });

  it('prints on which middlewares the ROS tests ran', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'));
    const report = join(folder, 'report.json');
    const counts = { passed: 3, failed: 0, skipped: 1 };
    const onMiddlewares = [
      { middleware: 'rmw_a', suite: 'the node', ...counts },
      { middleware: 'rmw_a', suite: 'the bag', ...counts },
      { middleware: 'rmw_b', suite: 'the node', passed: 1, failed: 2, skipped: 0 },
    ];
    writeFileSync(report, JSON.stringify({ passed: 7, failed: 0, skipped: [], onMiddlewares }));
    const program = `import('./bin/judge-tests.mjs').then(({ judgeTests }) => judgeTests(${JSON.stringify(report)}))`;
    const { stdout } = spawnSync(process.execPath, ['-e', program], {
      cwd: packageRoot,
      encoding: 'utf8',
      env: { ...process.env, HOLDFAST_TEST_TALLY: undefined },
    });
    rmSync(folder, { recursive: true });
    const lines = stdout.split('\n');
    assert.ok(lines.includes('ROS tests on rmw_a: 6 passed, 0 failed, 2 skipped'), stdout);
    assert.ok(lines.includes('  the bag: 3 passed, 0 failed, 1 skipped'), stdout);
    assert.ok(lines.includes('ROS tests on rmw_b: 1 passed, 2 failed, 0 skipped'), stdout);
  });

  it('counts a version of Node.js that npm does not give as skipped if that is accepted, else as failed', () => {
    const program = `import('./bin/judge-tests.mjs').then(({ judgeMissingNode: judge }) =>
      console.log(judge('26', undefined), judge('26', ['node']), judge('26', ['ros'])))`;
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tally-'));
    const tally = join(folder, 'tally');
    const { stdout } = spawnSync(process.execPath, ['-e', program], {
      cwd: packageRoot,
      encoding: 'utf8',
      env: { ...process.env, HOLDFAST_TEST_TALLY: tally },
    });
    const counted = readFileSync(tally, 'utf8').trim().split('\n');
    rmSync(folder, { recursive: true });
    assert.equal(stdout.trim().split('\n').at(-1), 'true true false');
    assert.deepEqual(
      counted.map((line) => JSON.parse(line) as unknown),
      [
        { passed: 0, failed: 0, skipped: 1 },
        { passed: 0, failed: 0, skipped: 1 },
        { passed: 0, failed: 1, skipped: 0 },
      ],
    );
  });

  it('runs the tests of the ROS package where colcon.meta is read', () => {
    const meta = JSON.parse(read('colcon.meta')) as { names: { holdfast: { 'cmake-args': string[] } } };
    assert.deepEqual(
      meta.names.holdfast['cmake-args'].filter((arg) => arg.includes('BUILD_TESTING')),
      [],
    );
  });
});
