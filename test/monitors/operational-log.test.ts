import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { OperationalLog } from '../../src/monitors/log/operational-log.js';
import { RotatingFile } from '../../src/monitors/log/rotating-file.js';
import { systemTimers } from '../../src/host/system-clock.js';

describe('the operational log', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'));
    path = join(folder, 'log', 'recorder.log');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function open(file = new RotatingFile({ timers: systemTimers, path })): OperationalLog {
    return new OperationalLog({
      level: 'info',
      role: 'recorder',
      terminal: silentLogger,
      file,
      nowMs: () => 7,
    });
  }

  async function lines(): Promise<Record<string, unknown>[]> {
    const text = await readFile(path, 'utf8');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it('writes one JSON line per event, with its role, level and facts', async () => {
    const log = open();
    log.info('recording', { robot: 'r\n1', at: 12n, level: 3, list: [1] });
    log.debug('not this one');
    await log[Symbol.asyncDispose]();
    const [line, ...rest] = await lines();
    assert.ok(line);
    assert.deepEqual(rest, []);
    assert.match(line['time'] as string, /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(
      { ...line, time: undefined },
      {
        level: 'info',
        time: undefined,
        role: 'recorder',
        robot: 'r\n1',
        at: '12',
        field_level: 3,
        list: [1],
        event: 'recording',
      },
    );
  });

  it('writes errors with stack and everything that caused them', async () => {
    const log = open();
    const cause = new Error('no space', { cause: Object.assign(new Error('deep'), { code: 'ENOSPC' }) });
    log.error('a commit failed', { error: new HoldfastError('DISK_FULL', 'cannot commit', { cause }) });
    await log[Symbol.asyncDispose]();
    const text = JSON.stringify(await lines());
    for (const part of ['DISK_FULL', 'cannot commit', 'no space', 'deep', 'ENOSPC', 'operational-log.test']) {
      assert.ok(text.includes(part), part);
    }
  });

  it('changes its level while it runs, and reports it', async () => {
    const log = open();
    log.debug('before');
    log.setLevel('debug');
    log.debug('after');
    log.setLevel('error');
    log.warn('too little');
    await log[Symbol.asyncDispose]();
    assert.deepEqual(
      (await lines()).map(({ event }) => event),
      ['log level changed', 'after', 'log level changed'],
    );
    assert.equal(log.stats().level, 'error');
  });

  it('keeps the last lines for later readers, and no more', async () => {
    const log = open();
    for (let n = 0; n < 1_000; n++) log.info('line', { n, error: new Error('x'.repeat(5_000)) });
    const recent = log.recent();
    assert.deepEqual([recent.length, log.lastNumber], [200, 1_000]);
    assert.match(present(recent.at(-1)).facts, /^n=999 /);
    assert.ok(recent.every(({ facts }) => facts.length <= 1_003));
    await log[Symbol.asyncDispose]();
  });

  it('is written to the end by a process that dies of an error', async () => {
    const log = open();
    await mkdir(join(folder, 'log'));
    for (let n = 0; n < 50; n++) log.info('line', { n });
    log.flushSync();
    assert.equal((await lines()).length, 50);
    await log[Symbol.asyncDispose]();
    assert.equal((await lines()).length, 50);
  });

  it('survives facts that cannot be written', async () => {
    const log = open();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    log.info('circle', { circle });
    log.info('trap', {
      trap: {
        toJSON() {
          throw new Error('no');
        },
      },
    });
    await log[Symbol.asyncDispose]();
    assert.deepEqual(
      (await lines()).map(({ event }) => event),
      ['circle', 'trap'],
    );
  });
});

describe('the log file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'));
    path = join(folder, 'a.log');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const line = (n: number): string => `${String(n).padStart(99, '0')}\n`;

  async function all(): Promise<string[]> {
    const names = (await readdir(folder)).sort().reverse();
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return texts.join('').split('\n').slice(0, -1);
  }

  it('is rotated by size, keeps so many, and loses or repeats no line on the way', async () => {
    const file = new RotatingFile({ timers: systemTimers, path, maxBytes: 1_000, kept: 3 });
    for (let n = 0; n < 35; n++) file.write(line(n));
    await file.close();
    const names = (await readdir(folder)).sort();
    assert.deepEqual(names, ['a.log', 'a.log.1', 'a.log.2', 'a.log.3']);
    for (const name of names) assert.ok((await readFile(join(folder, name))).length <= 1_000, name);
    assert.deepEqual(
      (await all()).map(Number),
      Array.from({ length: 35 }, (_, n) => n),
    );
    assert.equal(file.rotations, 3);
  });

  it('holds its bounds over restarts', async () => {
    for (let start = 0; start < 60; start += 6) {
      const file = new RotatingFile({ timers: systemTimers, path, maxBytes: 1_000, kept: 2 });
      for (let n = start; n < start + 6; n++) file.write(line(n));
      await file.close();
    }
    const names = (await readdir(folder)).sort();
    assert.deepEqual(names, ['a.log', 'a.log.1', 'a.log.2']);
    const numbers = (await all()).map(Number);
    assert.equal(numbers.at(-1), 59);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => numbers[0]! + index),
    );
    for (const name of names) assert.ok((await readFile(join(folder, name))).length <= 1_000, name);
  });

  it('keeps lines while the disk refuses, drops and counts those beyond the bound, and continues', async function () {
    this.timeout(10_000);
    const blocked = join(folder, 'not', 'yet', 'a.log');
    const file = new RotatingFile({ timers: systemTimers, path: blocked, queueMaxBytes: 1_000 });
    for (let n = 0; n < 30; n++) file.write(line(n));
    await file.flush();
    assert.deepEqual([file.queuedLines, file.droppedLines, file.isRunning], [10, 20, false]);
    await mkdir(join(folder, 'not', 'yet'), { recursive: true });
    await file.flush();
    assert.deepEqual([file.queuedLines, file.writtenLines, file.isRunning], [0, 10, true]);
    file.write(line(30));
    await file.close();
    assert.equal((await readFile(blocked, 'utf8')).split('\n').length, 12);
  });

  it('never throws, even if its path is not a file', async () => {
    await writeFile(join(folder, 'plain'), '');
    const file = new RotatingFile({ timers: systemTimers, path: join(folder, 'plain', 'a.log') });
    file.write('x\n');
    await file.flush();
    file.flushSync();
    await file.close();
    assert.match(file.lastError ?? '', /ENOTDIR|EEXIST/);
    assert.equal(file.droppedLines, 1);
  });
});
