import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import type { TestReport } from '../support/honest-reporter.js';

interface Schedule {
  readonly alone: Readonly<Record<string, string>>;
  readonly long: readonly string[];
}

/** What a program prints with `answer(value)` at its end. */
function evaluate(program: string): { readonly value: unknown; readonly stdout: string } {
  const answer = 'const answer = (value) => process.stdout.write(`\\n${JSON.stringify(value)}`);';
  const args = ['--input-type=module', '-e', program.replace('RUN', answer)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: packageRoot, encoding: 'utf8' });
  assert.equal(stderr, '');
  return { value: JSON.parse(stdout.slice(stdout.lastIndexOf('\n'))) as unknown, stdout };
}

describe('files of tests that run beside each other', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-lanes-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the texts as files in two lanes. */
  function run(texts: Readonly<Record<string, string>>): {
    report: TestReport;
    code: number;
    stdout: string;
  } {
    const files = Object.keys(texts).map((name) => join(folder, `${name}.test.cjs`));
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, `${name}.test.cjs`), text);
    const { value, stdout } = evaluate(`import { runInLanes } from './bin/test-lanes.mjs';
      RUN
      const files = ${JSON.stringify(files)};
      const options = { node: process.execPath, env: process.env, folder: ${JSON.stringify(folder)}, onStart() {} };
      const { report, code } = await runInLanes({ take: () => files.shift() }, 2, options);
      answer({ report, code });`);
    return { ...(value as { report: TestReport; code: number }), stdout };
  }

  it('run at the same time, and each prints its own part of the output', () => {
    // Each waits for the other one.
    const meet = (own: string, other: string): string => `
      const { existsSync, writeFileSync } = require('node:fs');
      const { setTimeout: wait } = require('node:timers/promises');
      it('meets ${other}', async () => {
        console.log('${own} waits');
        writeFileSync(${JSON.stringify(folder)} + '/${own}', '');
        while (!existsSync(${JSON.stringify(folder)} + '/${other}')) await wait(10);
        console.log('${own} goes');
      });`;
    const { report, code, stdout } = run({ a: meet('a', 'b'), b: meet('b', 'a') });
    assert.deepEqual([report.passed, report.failed, code], [2, 0, 0]);
    for (const own of ['a', 'b']) assert.match(stdout, new RegExp(`${own} waits\n${own} goes\n`));
    assert.match(stdout, /2 passing/);
  });

  it('are joined in one report, with what failed, was skipped and took how long', () => {
    const { report, code, stdout } = run({
      good: `describe('good', () => { it('is', () => {}); it.skip('was'); });`,
      bad: `describe('bad', () => it('is', () => { throw new Error('it is bad'); }));`,
      unusable: `require('./nothing.cjs');`,
    });
    assert.deepEqual([report.passed, report.failed, code], [1, 2, 2]);
    assert.deepEqual(
      report.skipped.map(({ title }) => title),
      ['good was'],
    );
    assert.match(
      report.failures.map(({ title, error }) => `${title}: ${error}`).join('\n'),
      /bad is: .*it is bad/,
    );
    assert.match(stdout, /\d\) bad is:\n {5}Error: it is bad\n {9}at /);
    assert.ok(report.failures.some(({ error }) => error.includes('nothing.cjs')));
    assert.deepEqual(Object.keys(report.fileTimes).sort(), [
      join(folder, 'bad.test.cjs'),
      join(folder, 'good.test.cjs'),
    ]);
  });

  it('continue if one of them ends its process, which is a failure of that file', () => {
    const end = (how: string): string => `it('ends', () => { ${how}; });`;
    const { report, code } = run({
      exit: end('process.exit(0)'),
      kill: end(`process.kill(process.pid, 'SIGKILL'); for (;;);`),
      ...Object.fromEntries([1, 2, 3].map((n) => [`later${n}`, `it('runs', () => {});`])),
    });
    assert.deepEqual([report.passed, report.failed, code], [3, 2, 2]);
    assert.deepEqual(report.failures.map(({ error }) => error).sort(), [
      'the process of the tests ended in this file: SIGKILL',
      'the process of the tests ended in this file: exit code 0',
    ]);
    assert.deepEqual(report.failures.map(({ file }) => file).sort(), [
      join(folder, 'exit.test.cjs'),
      join(folder, 'kill.test.cjs'),
    ]);
  });

  it('do not see each other’s process as their supervisor', () => {
    const { report } = run({
      one: `const assert = require('node:assert');
        it('has no channel', () => assert.equal(process.channel ?? process.send, undefined));`,
      two: '',
    });
    assert.deepEqual([report.passed, report.failures], [1, []]);
  });

  it('start the longest first in one lane, and keep their order in the others', () => {
    const { value } = evaluate(`import { LanePlan } from './bin/lane-plan.mjs';
      RUN
      const files = ['a', 'b', 'c', 'd', 'e'];
      const times = { a: 1, b: 20_000, c: 30_000, d: 2, e: 10 };
      const order = (...lanes) => { const plan = new LanePlan(files, times); return lanes.map((lane) => plan.take(lane)); };
      const unknown = new LanePlan(files, undefined, { long: ['x', 'd', 'b'] });
      answer([order(0, 1, 0, 0, 1, 1), order(1, 1, 1, 1, 1), [0, 0, 0].map((lane) => unknown.take(lane))]);`);
    assert.deepEqual(value, [
      ['c', 'a', 'b', 'd', 'e', null],
      ['a', 'd', 'e', 'c', 'b'],
      ['d', 'b', 'a'],
    ]);
  });

  it('are apart from those that the schedule lets run alone', () => {
    const { value } = evaluate(`import { divide } from './bin/lane-plan.mjs';
      RUN
      answer(divide(['test/a/1', 'test/b/1', 'test/b/2'], { alone: { 'test/b/': 'rates', 'test/a/2': 'memory' } }));`);
    assert.deepEqual(value, { together: ['test/a/1'], alone: ['test/b/1', 'test/b/2'] });
  });

  it('are all there if the schedule names them', () => {
    const text = readFileSync(join(packageRoot, 'test', 'support', 'schedule.json'), 'utf8');
    const { alone, long } = JSON.parse(text) as Schedule;
    for (const name of [...Object.keys(alone), ...long]) assert.ok(existsSync(join(packageRoot, name)), name);
  });
});
