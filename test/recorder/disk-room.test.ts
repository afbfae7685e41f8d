import assert from 'node:assert/strict';
import type { StatsFs } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { silentLogger } from '../../src/core/logger.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { systemPorts, type SystemPorts } from '../../src/host/ports.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';

const MIB = 1024 * 1024;

describe('disk space for messages in memory', function () {
  this.timeout(30_000);
  let place: RecorderPlace;
  let freeBytes: number;
  let recorder: Recorder | undefined;
  const real = systemPorts(silentLogger);
  const statfs = async (path: string): Promise<StatsFs> =>
    Object.assign(await real.fs.statfs(path), {
      bsize: 1,
      blocks: 100 * MIB,
      bfree: freeBytes,
      bavail: freeBytes,
    });
  const ports: SystemPorts = {
    ...real,
    fs: { ...real.fs, statfs: statfs as unknown as typeof real.fs.statfs },
  };

  beforeEach(async () => {
    place = await RecorderPlace.make();
    freeBytes = 50 * MIB;
  });
  afterEach(async () => {
    await recorder?.close();
    await place[Symbol.asyncDispose]();
  });

  async function open(whenFull: string, puppet: PuppetSource): Promise<Recorder> {
    const flags = { 'retention.when_full': whenFull, 'batch.max_age_ms': '1ms' };
    recorder = await Recorder.open(place.options(flags), [puppet.input()], ports);
    await eventually(() => present(recorder).status().disk.totalBytes > 0, 'the disk was looked at');
    return recorder;
  }

  it('is required before a source that can wait is read, and granted when there is some', async () => {
    const puppet = new PuppetSource(true);
    const { status } = await open('stop', puppet).then((one) => ({ status: () => one.status() }));
    const ready = (): Promise<void> | undefined => present(puppet.context).flow.whenReady();
    assert.equal(ready(), undefined);
    freeBytes = MIB / 4;
    await eventually(() => ready() !== undefined, 'waiting');
    await eventually(() => status().state === 'stalled', 'told');
    assert.match(status().stalledReason ?? '', /disk_full: \d+ bytes are free/);
    const waiting = ready();
    freeBytes = 50 * MIB;
    await waiting;
    await eventually(() => status().state === 'recording', 'told');
    assert.equal(ready(), undefined);
  });

  it('shrinks with the messages in memory, which fit at every moment', async () => {
    const puppet = new PuppetSource(true);
    freeBytes = 3 * MIB;
    await open('stop', puppet);
    let taken = 0;
    while (present(puppet.context).flow.whenReady() === undefined) {
      puppet.emit(testMessage(testChannel('/a'), 'x'.repeat(100_000)));
      taken++;
    }
    assert.ok(taken > 10 && taken * 100_000 < 3 * MIB, String(taken));
  });

  it('is not made by releasing the ballast before it is known to be needed', async () => {
    await fs.mkdir(place.data, { recursive: true });
    const handle = await fs.open(join(place.data, 'ballast'), 'w');
    await handle.writeFile(Buffer.alloc(MIB, 1));
    await handle.close();
    const puppet = new PuppetSource(true);
    recorder = await Recorder.open(place.options({ ballast_bytes: '1MiB' }), [puppet.input()], ports);
    await recorder.close();
    assert.equal((await fs.stat(join(place.data, 'ballast'))).size, MIB);
  });

  it('is not made by releasing the ballast because of a lock that no disk is to blame for', async () => {
    const ballast = join(place.data, 'ballast');
    const lock = join(place.data, 'lock', 'recorder');
    const options = place.options({ ballast_bytes: '1MiB' });
    /** Opens and closes a recorder; returns the ballast that is left. */
    const cycle = async (): Promise<{ ino: number; size: number }> => {
      const opened = await Recorder.open(options, [new PuppetSource(true).input()], ports);
      await opened.close();
      const { ino, size } = await fs.stat(ballast);
      return { ino, size };
    };
    await fs.mkdir(place.data, { recursive: true });
    await fs.writeFile(ballast, Buffer.alloc(MIB, 1));
    const kept = await cycle();
    assert.equal(kept.size, MIB);
    // As a power cut leaves it: the recorder starts, with a new lock.
    for (const kind of ['CURRENT', 'MANIFEST']) {
      const file = present((await fs.readdir(lock)).find((name) => name.startsWith(kind)));
      await fs.truncate(join(lock, file));
      assert.deepEqual(await cycle(), kept, file);
    }
    // Nothing replaces this one: the start fails, and the reserve for a full disk stays.
    await fs.rm(join(place.data, 'lock'), { recursive: true });
    await fs.writeFile(join(place.data, 'lock'), '');
    await assert.rejects(cycle(), { code: 'DATA_FOLDER_UNUSABLE' });
    assert.equal((await fs.stat(ballast)).ino, kept.ino);
  });

  it('is looked at after a start before anything is committed', async () => {
    freeBytes = 0;
    let look = (): void => undefined;
    const looking = new Promise<void>((resolve) => (look = resolve));
    const slow: SystemPorts = {
      ...ports,
      fs: {
        ...ports.fs,
        statfs: (async (path: string) => {
          await looking;
          return statfs(path);
        }) as unknown as typeof real.fs.statfs,
      },
    };
    const puppet = new PuppetSource();
    const flags = {
      'retention.when_full': 'stop',
      'retention.min_free_bytes': '1MiB',
      'batch.max_age_ms': '1ms',
    };
    const opened = await Recorder.open(place.options(flags), [puppet.input()], slow);
    recorder = opened;
    puppet.emit(testMessage(testChannel('/a'), 'x'));
    await eventually(() => opened.status().lossWindow.ms > 100, 'the message waits');
    look();
    await eventually(() => opened.status().stalledReason !== undefined, 'stalled');
    assert.equal(opened.status().totals.durable, 0);
    freeBytes = 50 * MIB;
    await eventually(() => opened.status().totals.durable === 1, 'recorded');
  });

  it('is not asked for under a policy that makes room as it goes', async () => {
    const puppet = new PuppetSource(true);
    freeBytes = MIB / 4;
    await open('drop-oldest', puppet);
    assert.equal(present(puppet.context).flow.whenReady(), undefined);
  });
});
