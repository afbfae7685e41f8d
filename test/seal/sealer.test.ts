import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger, type Logger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { Sealer, type SealerPorts } from '../../src/seal/sealer.js';
import { sealSegment, salvageId } from '../../src/seal/seal-segment.js';
import { UNSEALED_FILE } from '../../src/seal/set-aside.js';
import { type SealRequest } from '../../src/seal/seal-request.js';
import type { ClosedSegment } from '../../src/wal/wal-ports.js';
import { systemError, watchedFs } from '../wal/faulty-fs.js';
import { batch, identity, message, payload, temporaryFolder } from '../wal/wal-support.js';
import { TestClock } from '../support/test-clock.js';
import { closedSegments, crab, everything, sealedNames } from './seal-world.js';

describe('Sealer', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
  });

  function make(ports: Partial<SealerPorts> = {}): {
    sealer: Sealer;
    requests: SealRequest[];
    logged: string[];
  } {
    const requests: SealRequest[] = [];
    const logged: string[] = [];
    const note = (event: string): void => void logged.push(event);
    const logger: Logger = { ...silentLogger, warn: note, error: note };
    const fs: FileSystem = ports.fs ?? realFs;
    const sealer = new Sealer(
      folder,
      {
        compression: 'zstd',
        level: 3,
        chunkBytes: 64 * 1024,
        splitByPriority: false,
        softwareVersion: '0',
        nodeVersion: '0',
      },
      {
        fs,
        clock: new TestClock(),
        logger,
        identity,
        onSealed: () => undefined,
        ...ports,
        seal: (request) => {
          requests.push(request);
          return ports.seal ? ports.seal(request) : sealSegment(fs, { ...request, compression: 'none' });
        },
      },
    );
    return { sealer, requests, logged };
  }

  const numbered = (count: number): Promise<ClosedSegment[]> =>
    closedSegments(
      folder,
      Array.from({ length: count }, (_, i) => [batch([message(crab, `m${i}`)])]),
    );

  const left = (): Promise<string[]> => realFs.readdir(folder.wal);

  it('seals in order, oldest first, and takes the WAL segment away only then', async () => {
    const segments = await numbered(3);
    const order: [number, number][] = [];
    const { sealer } = make({
      onSealed: (manifests) => void order.push([manifests[0]!.segment.number, manifests.length]),
      seal: async (request) => {
        assert.ok((await left()).includes(request.id));
        return sealSegment(realFs, { ...request, compression: 'none' });
      },
    });
    for (const segment of segments) sealer.enqueue({ ...segment, recovered: false });
    assert.equal(sealer.waiting, 3);
    assert.equal(sealer.unfinished().size, 3);
    await sealer.drain();
    assert.deepEqual(order, [
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    assert.deepEqual([await left(), await realFs.readdir(folder.trash)], [[], []]);
    assert.deepEqual([sealer.waiting, sealer.sealedObjects], [0, 3]);
    await sealer.close();
  });

  it('begins nothing while it is held, finishes the current segment, and continues afterwards', async () => {
    const segments = await numbered(3);
    const done: number[] = [];
    const { sealer } = make({
      seal: async (request) => {
        sealer.hold();
        const result = await sealSegment(realFs, { ...request, compression: 'none' });
        done.push(result.manifests[0]!.segment.number);
        return result;
      },
    });
    for (const segment of segments) sealer.enqueue({ ...segment, recovered: false });
    assert.equal(sealer.largestBytes, Math.max(...segments.map(({ bytes }) => bytes)));
    await sealer.drain();
    assert.deepEqual([done, sealer.waiting], [[1], 2]);
    for (const count of [2, 3]) {
      sealer.resume();
      await sealer.drain();
      assert.equal(done.length, count);
    }
    assert.equal(sealer.largestBytes, 0);
    await sealer.close();
  });

  it('checks every payload of what an earlier process left', async () => {
    const [one, two] = await numbered(2);
    assert.ok(one && two);
    const { sealer, requests } = make();
    sealer.enqueue({ ...one, recovered: true });
    sealer.enqueue({ ...two, recovered: false });
    await sealer.drain();
    assert.deepEqual(
      requests.map(({ verifyPayloads }) => verifyPayloads),
      [true, false],
    );
  });

  it('tries failed segments again, after the others, and reports that', async () => {
    const segments = await numbered(3);
    let failures = 3;
    const order: number[] = [];
    const { sealer, logged } = make({
      seal: async (request) => {
        if (request.id === segments[0]!.id && failures-- > 0) throw systemError('EIO');
        order.push(Number(request.id.slice(0, 12)));
        return sealSegment(realFs, { ...request, compression: 'none' });
      },
    });
    for (const segment of segments) sealer.enqueue({ ...segment, recovered: false });
    while (sealer.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, [2, 3, 1]);
    assert.equal(logged.filter((event) => event === 'cannot seal a segment').length, 3);
    assert.deepEqual(await everything(folder), ['/crab/odom m0', '/crab/odom m1', '/crab/odom m2']);
    assert.equal(sealer.lastError, undefined);
    await sealer.close();
  });

  it('seals a new segment without the pause of a failing one', async () => {
    const [bad, good] = await numbered(2);
    assert.ok(bad && good);
    let pauses = 0;
    const clock = new TestClock();
    clock.sleep = (_ms, signal) => {
      pauses++;
      return new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    };
    const { sealer } = make({
      clock,
      seal: (request) =>
        request.id === bad.id
          ? Promise.reject(systemError('ENOSPC'))
          : sealSegment(realFs, { ...request, compression: 'none' }),
    });
    sealer.enqueue({ ...bad, recovered: false });
    while (pauses === 0) await new Promise((resolve) => setImmediate(resolve));
    sealer.enqueue({ ...good, recovered: false });
    while (sealer.sealedObjects === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(sealer.waiting, 1);
    await sealer.close();
    assert.deepEqual(await left(), [bad.id]);
  });

  it('seals a segment sparingly after three failures, and sets it aside after three more', async () => {
    const [bad, good] = await numbered(2);
    assert.ok(bad && good);
    const tries: boolean[] = [];
    const { sealer, logged } = make({
      seal: async (request) => {
        if (request.id === good.id) return sealSegment(realFs, { ...request, compression: 'none' });
        tries.push(request.sparing === true);
        throw new Error('heap out of memory');
      },
    });
    for (const segment of [bad, good]) sealer.enqueue({ ...segment, recovered: false });
    await sealer.drain();
    await sealer.drain();
    assert.deepEqual(tries, [false, false, false, true, true, true]);
    assert.deepEqual([sealer.waiting, sealer.setAside, sealer.sealedObjects], [1, 1, 1]);
    assert.deepEqual([...sealer.unfinished()], [bad.id]);
    assert.equal(logged.filter((event) => event.includes('stays in wal/')).length, 1);
    await sealer.close();
    assert.deepEqual(await left(), [bad.id]);
    // The next start tries again, and reports from its first moment what is in no MCAP.
    const next = make({ seal: (request) => sealSegment(realFs, { ...request, compression: 'none' }) });
    await next.sealer.recall([bad.id]);
    assert.equal(next.sealer.setAside, 1);
    assert.match(present(next.sealer.firstSetAside).error, /heap out of memory/);
    next.sealer.enqueue({ ...bad, recovered: true });
    await next.sealer.drain();
    assert.deepEqual([next.sealer.setAside, next.sealer.firstSetAside], [0, undefined]);
    await assert.rejects(realFs.stat(join(folder.root, UNSEALED_FILE)), { code: 'ENOENT' });
    assert.deepEqual(await everything(folder), ['/crab/odom m0', '/crab/odom m1']);
    assert.deepEqual(await left(), []);
  });

  it('starts with a damaged list of segments that it could not seal', async () => {
    const [segment] = await numbered(1);
    assert.ok(segment);
    for (const text of ['', '\0\0', '{"version":1,"segments":[{"id":5}]}', '[null]']) {
      await realFs.writeFile(join(folder.root, UNSEALED_FILE), text);
      const { sealer } = make({ seal: () => Promise.reject(new Error('never')) });
      await sealer.recall([segment.id]);
      assert.equal(sealer.setAside, 0);
      await assert.rejects(realFs.stat(join(folder.root, UNSEALED_FILE)), { code: 'ENOENT' });
    }
  });

  it('needs the sparing mode only once, and never gives up if the system refuses', async () => {
    const [segment] = await numbered(1);
    assert.ok(segment);
    const ways: string[] = [];
    const { sealer } = make({
      seal: async (request) => {
        ways.push(request.sparing ? 'sparing' : 'usual');
        if (ways.length < 9) throw systemError('EMFILE');
        return sealSegment(realFs, { ...request, compression: 'none' });
      },
    });
    sealer.enqueue({ ...segment, recovered: false });
    while (sealer.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(ways, [...Array<string>(3).fill('usual'), ...Array<string>(6).fill('sparing')]);
    assert.deepEqual([sealer.setAside, sealer.sealedObjects], [0, 1]);
    await sealer.close();
  });

  it('ends draining when the remaining segments have failed, so that a full disk does not delay shutdown', async () => {
    const [segment] = await numbered(1);
    assert.ok(segment);
    const { sealer } = make({ seal: () => Promise.reject(systemError('ENOSPC')) });
    sealer.enqueue({ ...segment, recovered: false });
    await sealer.drain();
    await sealer.close();
    assert.equal(sealer.waiting, 1);
    assert.deepEqual(await left(), [segment.id]);
  });

  it('uses a cheaper codec while it is behind, reports that, and changes back', async () => {
    const segments = await numbered(6);
    const { sealer, requests, logged } = make();
    for (const segment of segments) sealer.enqueue({ ...segment, recovered: false });
    await sealer.drain();
    assert.deepEqual(
      requests.map(({ compression, level }) => `${compression} ${level}`),
      ['zstd 3', 'zstd -1', 'zstd -1', 'zstd -1', 'zstd 3', 'zstd 3'],
    );
    assert.equal(logged.filter((event) => event === 'the sealing rate changed').length, 2);
    await sealer.close();
  });

  it('quarantines a damaged segment with a report, and seals the readable part', async () => {
    const [segment] = await closedSegments(folder, [
      [batch([message(crab, 'm1')]), batch([message(crab, 'm2')]), batch([message(crab, 'm3')])],
    ]);
    await damage(segment, 'm2');
    const { sealer } = make();
    sealer.enqueue({ ...segment, recovered: true });
    await sealer.drain();
    assert.deepEqual(await left(), []);
    assert.deepEqual((await realFs.readdir(folder.quarantine)).sort(), [segment.id, `${segment.id}.json`]);
    const report = JSON.parse(
      await realFs.readFile(join(folder.quarantine, `${segment.id}.json`), 'utf8'),
    ) as Record<string, unknown>;
    assert.deepEqual(
      [report['state'], report['salvagedAs'], report['missingRecords'], report['records']],
      ['corrupt', salvageId(segment.id), 1, 2],
    );
    assert.deepEqual(await everything(folder), ['/crab/odom m1', '/crab/odom m3']);
    await sealer.close();
  });

  it('keeps a segment of which only a torn commit is left, since it may have been a whole one', async () => {
    const [segment] = await closedSegments(folder, [[batch([message(crab, 'm1')])]]);
    const log = join(segment.directory, '000003.log');
    await realFs.truncate(log, 200);
    const { sealer } = make();
    sealer.enqueue({ ...segment, recovered: true });
    await sealer.drain();
    assert.deepEqual(await left(), []);
    assert.ok((await realFs.readdir(folder.quarantine)).includes(segment.id));
    assert.deepEqual(await sealedNames(folder), []);
    await sealer.close();
  });

  async function damage({ directory }: ClosedSegment, text: string): Promise<void> {
    const log = join(directory, '000003.log');
    const bytes = await realFs.readFile(log);
    bytes[bytes.indexOf(text)]! ^= 0x40;
    await realFs.writeFile(log, bytes);
  }

  it('is done with a segment when it is out of wal/, for any later failure', async () => {
    const segments = await closedSegments(folder, [
      [batch([message(crab, 'm1')])],
      [batch([message(crab, 'm2')]), batch([message(crab, 'm3')])],
    ]);
    await damage(segments[1], 'm2');
    const fs = watchedFs(({ method, path }) => {
      if (method === 'rm' && path.startsWith(folder.trash) && path.endsWith(segments[0].id)) rmFails();
    });
    let removals = 0;
    const rmFails = (): void => {
      // The first call makes room in the trash, the second empties it.
      if (++removals === 2) throw systemError('EIO');
    };
    const { sealer, requests } = make({
      fs,
      seal: (request) => sealSegment(realFs, { ...request, compression: 'none' }),
      onSealed: () => {
        throw new Error('a listener fails');
      },
    });
    for (const segment of segments) sealer.enqueue({ ...segment, recovered: false });
    await sealer.drain();
    assert.deepEqual([sealer.waiting, requests.length, await left()], [0, 2, []]);
    await sealer.close();
  });

  it('survives being stopped at any step of taking a segment away', async () => {
    for (let stopAt = 1; stopAt < 12; stopAt++) {
      await realFs.rm(folder.root, { recursive: true });
      const [good, bad] = await closedSegments(folder, [
        [batch([message(crab, payload(70_000, 1))])],
        [batch([message(crab, 'm1')]), batch([message(crab, 'm2')])],
      ]);
      await damage(bad, 'm2');
      const fs = watchedFs(({ number }) => {
        if (number === stopAt) throw systemError('EIO');
      });
      const first = make({ fs, seal: (request) => sealSegment(realFs, { ...request, compression: 'none' }) });
      for (const segment of [good, bad]) first.sealer.enqueue({ ...segment, recovered: false });
      await first.sealer.drain();
      await first.sealer.close();
      // What failed to the end is there at the next start.
      const second = make();
      for (const segment of [good, bad]) {
        if ((await left()).includes(segment.id)) second.sealer.enqueue({ ...segment, recovered: true });
      }
      await second.sealer.drain();
      await second.sealer.close();
      assert.deepEqual(await left(), [], `stopped at step ${stopAt}`);
      assert.equal((await everything(folder)).length, 2, `stopped at step ${stopAt}`);
      assert.ok((await realFs.readdir(folder.quarantine)).includes(bad.id));
    }
  });
});
