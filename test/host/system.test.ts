import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { dataFolderId, readIdentity } from '../../src/host/host-identity.js';
import { createStreamLogger } from '../../src/host/stream-logger.js';
import { createSystemClock, systemClock } from '../../src/host/system-clock.js';

describe('the system clock', () => {
  it('refines the wall clock below the millisecond and follows its jumps both ways', () => {
    let wallMs = 1_000;
    let ticks = 0n;
    const clock = createSystemClock(
      () => wallMs,
      () => ticks,
    );
    assert.equal(clock.now(), 1_000_000_000n);
    ticks = 300n;
    assert.equal(clock.now(), 1_000_000_300n);
    ticks = 1_500_000n;
    wallMs = 1_001;
    assert.equal(clock.now(), 1_001_500_000n);
    wallMs = 500;
    assert.equal(clock.now(), 500_000_000n);
    wallMs = 9_000;
    assert.equal(clock.now(), 9_000_000_000n);
  });

  it('does not go back if the process had to wait between reading the two clocks', () => {
    let ticks = 0n;
    let waitNs = 0n;
    const clock = createSystemClock(
      () => {
        const wallMs = 1_000 + Number(ticks / 1_000_000n);
        ticks += waitNs;
        waitNs = 0n;
        return wallMs;
      },
      () => (ticks += 100n),
    );
    let last = clock.now();
    for (const ms of [0n, 3n, 0n, 8n, 0n, 0n, 500n, 0n]) {
      waitNs = ms * 1_000_000n;
      const now = clock.now();
      assert.ok(now > last, `${now} after ${last}, having waited ${ms} ms`);
      last = now;
    }
  });

  it('rejects a sleep with the reason of its signal', async () => {
    const controller = new AbortController();
    const sleep = systemClock.sleep(1e12, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(sleep, (error) => error === reason);
  });
});

describe('log lines', () => {
  function logged(format: 'text' | 'json'): string[] {
    const lines: string[] = [];
    const log = createStreamLogger({
      format,
      role: 'sync',
      nowMs: () => 0,
      write: (line) => lines.push(line),
    });
    log.debug('not written at level info');
    log.warn('upload failed', {
      key: 'a b\nc',
      bytes: 12n,
      absent: undefined,
      error: new HoldfastError('STORE_OFFLINE', 'no route', { cause: new Error('ECONNREFUSED') }),
    });
    return lines;
  }

  it('stay one line each, for people', () => {
    assert.deepEqual(logged('text'), [
      '1970-01-01T00:00:00.000Z warn  sync: upload failed key="a b\\nc" bytes=12 ' +
        'error="STORE_OFFLINE: no route: ECONNREFUSED"\n',
    ]);
  });

  it('are one JSON object each, for machines', () => {
    const [line, ...rest] = logged('json');
    assert.ok(line !== undefined);
    assert.deepEqual(rest, []);
    assert.deepEqual(JSON.parse(line), {
      at: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      role: 'sync',
      event: 'upload failed',
      key: 'a b\nc',
      bytes: '12',
      error: 'STORE_OFFLINE: no route: ECONNREFUSED',
    });
  });
});

describe('identity', () => {
  let folder: string;
  const random = (size: number): Uint8Array => new Uint8Array(size).fill(0xab);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('distinguishes machines, and never shows the raw machine id', async () => {
    const identityOf = (raw: string): ReturnType<typeof readIdentity> => {
      const readFile = ((path: string, ...rest: []) =>
        path === '/etc/machine-id' ? Promise.resolve(`${raw}\n`) : fs.readFile(path, ...rest)) as never;
      return readIdentity(folder, { fs: { ...fs, readFile }, random, hostname: 'crawler' });
    };
    const raw = '0123456789abcdef0123456789abcdef';
    const one = await identityOf(raw);
    const other = await identityOf(raw.replace('0', 'f'));
    assert.match(one.machineId, /^[0-9a-f]{32}$/);
    assert.notEqual(one.machineId, raw);
    assert.notEqual(one.machineId, other.machineId);
    assert.equal(one.machineId, (await identityOf(raw)).machineId);
    assert.equal(one.sessionId, 'ab'.repeat(16));
  });

  it('keeps the id of a data folder, and makes a new one if a crash cut it short', async () => {
    const first = await dataFolderId(folder, { fs, random });
    assert.equal(await dataFolderId(folder, { fs, random: () => new Uint8Array(16) }), first);
    await writeFile(join(folder, 'id'), 'abab');
    const second = await dataFolderId(folder, { fs, random: () => new Uint8Array(16) });
    assert.equal(second, '00'.repeat(16));
    assert.equal(await readFile(join(folder, 'id'), 'utf8'), `${second}\n`);
  });
});
