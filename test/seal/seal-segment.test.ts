import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { McapIndexedReader } from '@mcap/core';
import type { DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { decodeManifest, encodeManifest, type ManifestChannel } from '../../src/core/manifest.js';
import { fullSequence } from '../../src/core/full-sequence.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable, defaultMcapLimits } from '../../src/core/mcap/readable.js';
import { readSummary } from '../../src/core/mcap/summary.js';
import { present } from '../../src/core/present.js';
import { SealHere } from '../../src/seal/seal-here.js';
import { SealWorker } from '../../src/seal/seal-in-worker.js';
import { salvageId } from '../../src/seal/seal-segment.js';
import { systemError, watchedFs } from '../wal/faulty-fs.js';
import { batch, channel, identity, message, payload, temporaryFolder } from '../wal/wal-support.js';
import {
  closedSegments,
  crab,
  dropGap,
  everything,
  readSealed,
  seal,
  sealRequest,
  sealedNames,
  squid,
  twoRobots,
} from './seal-world.js';

describe('Sealing a segment', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
  });

  it('makes one MCAP and manifest per robot, and each describes its content', async () => {
    const [first] = await closedSegments(folder, twoRobots());
    const { manifests, report, salvagedAs } = await seal(folder, first);
    assert.equal(report.state, 'clean');
    assert.equal(salvagedAs, undefined);
    assert.deepEqual(manifests.map(({ robot }) => robot).sort(), ['crab', 'squid']);
    for (const manifest of manifests) {
      const path = join(folder.sealed, manifest.file.name);
      const bytes = await realFs.readFile(path);
      assert.deepEqual(
        [manifest.file.bytes, manifest.file.sha256, manifest.file.crc32],
        [bytes.length, createHash('sha256').update(bytes).digest('hex'), crc32(bytes)],
      );
      const text = await realFs.readFile(path.replace(/\.mcap$/, '.json'), 'utf8');
      assert.deepEqual(decodeManifest(text, path), JSON.parse(JSON.stringify(manifest)));
      assert.equal(manifest.segment.id, first.id);
      assert.deepEqual(manifest.identity, identity);
      assert.equal(manifest.uncleanEnd, false);
    }
    const [ofCrab, ofSquid] = [...manifests].sort((a, b) => (a.robot < b.robot ? -1 : 1));
    assert.ok(ofCrab && ofSquid);
    assert.deepEqual(
      [ofCrab.messages, ofCrab.payloadBytes, ofCrab.firstSequence, ofCrab.lastSequence],
      [3, 8, 1, 4],
    );
    assert.equal(ofCrab.firstLogTime, '1700000000000000000');
    assert.equal(ofCrab.lastLogTime, '1700000000003000000');
    assert.equal(ofCrab.key, `robot=crab/date=2023-11-14/hour=22/${first.id}.mcap`);
    const odom = ofCrab.channels.find(({ topic }) => topic === '/crab/odom');
    assert.deepEqual(
      [odom?.count, odom?.bytes, odom?.carried, odom?.firstSourceSequence, odom?.lastSourceSequence],
      [2, 4, 0, 7, 8],
    );
    assert.deepEqual([ofSquid.messages, ofSquid.firstSequence, ofSquid.lastSequence], [1, 3, 3]);
    assert.deepEqual(
      ofSquid.gaps.map(({ id }) => id),
      [dropGap.id],
    );
    const object = await readSealed(join(folder.sealed, ofSquid.file.name));
    assert.deepEqual(object.messages, [
      { topic: '/squid/odom', text: 's1', logTime: 1_700_000_000_001_000_000n, sequence: 5 },
    ]);
    assert.deepEqual(object.gaps, [
      { ...dropGap, firstTime: '1700000000000000000', lastTime: '1700000000000000005' },
    ]);
    assert.equal(object.identity['segment'], first.id);
    assert.equal(object.profile, 'ros2');
  });

  it('puts the latched messages of earlier segments first, and counts them apart', async () => {
    const [, second] = await closedSegments(folder, twoRobots());
    const { manifests } = await seal(folder, second);
    const ofCrab = present(manifests.find(({ robot }) => robot === 'crab'));
    const { carried, messages } = await readSealed(join(folder.sealed, ofCrab.file.name));
    assert.deepEqual(carried, [
      { topic: '/robot_description', text: 'urdf', logTime: 1_700_000_000_007_000_000n, sequence: 0 },
    ]);
    assert.deepEqual(
      messages.map(({ text }) => text),
      ['c4', 'c3'],
    );
    assert.equal(ofCrab.messages, 2);
    const latched = present(ofCrab.channels.find(({ topic }) => topic === '/robot_description'));
    assert.deepEqual([latched.count, latched.carried, latched.latched], [0, 1, true]);
    assert.ok(
      present(manifests.find(({ robot }) => robot === 'squid')).channels.every((one) => one.carried === 0),
    );
  });

  it('lists the content for rosbag2 as rosbag2 does, including carried messages', async () => {
    const [, second] = await closedSegments(folder, twoRobots());
    const { manifests } = await seal(folder, second, { rosDistro: 'jazzy' });
    const ofCrab = present(manifests.find(({ robot }) => robot === 'crab'));
    const path = join(folder.sealed, ofCrab.file.name);
    const reader = await openMcap(bytesReadable(await realFs.readFile(path)), path);
    const [record, ...others] = await reader.metadata('rosbag2');
    assert.ok(record);
    assert.deepEqual(others, []);
    const entries = new Map(Object.entries(record.metadata as unknown as Record<string, string>));
    assert.equal(entries.get('ROS_DISTRO'), 'jazzy');
    const text = present(entries.get('serialized_metadata'));
    assert.match(text, /^version: 9$/m);
    assert.match(text, /^ros_distro: jazzy$/m);
    assert.match(text, new RegExp(`^message_count: ${ofCrab.messages + 1}$`, 'm'));
    const topics = [...text.matchAll(/name: (\S+)/g)].map(([, topic]) => topic);
    assert.deepEqual(topics.sort(), ofCrab.channels.map(({ topic }) => topic).sort());
    assert.match(text, new RegExp(`nanoseconds_since_epoch: ${ofCrab.firstLogTime}`));
  });

  for (const compression of ['none', 'zstd', 'lz4'] as const) {
    it(`writes files that the reference reader opens by their index (${compression})`, async () => {
      const sent = Array.from({ length: 300 }, (_, i) => message(crab, payload(1000 + i, i)));
      const [segment] = await closedSegments(folder, [[batch(sent.slice(0, 150)), batch(sent.slice(150))]]);
      const { manifests } = await seal(folder, segment, { compression });
      const bytes = await realFs.readFile(join(folder.sealed, manifests[0]!.file.name));
      const zstd = (await import('@foxglove/wasm-zstd')).default;
      const { decompressFrameSync } = await import('lz4-napi');
      await zstd.isLoaded;
      const reader = await McapIndexedReader.Initialize({
        readable: {
          size: () => Promise.resolve(BigInt(bytes.length)),
          read: (offset, size) => Promise.resolve(bytes.subarray(Number(offset), Number(offset + size))),
        },
        decompressHandlers: {
          zstd: (data, size) => zstd.decompress(data, Number(size)),
          lz4: (data) => decompressFrameSync(Buffer.from(data)),
        },
      });
      const got: Uint8Array[] = [];
      for await (const { data } of reader.readMessages()) got.push(Buffer.from(data));
      assert.equal(got.length, sent.length);
      sent.forEach(({ data }, i) => assert.ok(Buffer.from(data).equals(got[i]!)));
      assert.ok(reader.chunkIndexes.length > 3);
    });
  }

  it('compresses a segment that came fast with less effort', async () => {
    const START = 1_700_000_000_000_000_000n;
    const zstd = (await import('@foxglove/wasm-zstd')).default;
    await zstd.isLoaded;
    /** The levels that make the bytes of the first chunk out of 6 MB that came in so many seconds. */
    const levelsIn = async (seconds: number): Promise<readonly number[]> => {
      const sent = Array.from({ length: 600 }, (_, i) => {
        const receivedAt = START + (BigInt(i) * BigInt(seconds) * 1_000_000_000n) / 599n;
        const text = Buffer.alloc(8_000, `message ${i} of 600, `);
        return message(crab, Buffer.concat([payload(2_000, i), text]), { receivedAt });
      });
      const own = await temporaryFolder();
      const [segment] = await closedSegments(own, [[batch(sent)]]);
      const { manifests } = await seal(own, segment, { compression: 'zstd' });
      const bytes = await realFs.readFile(join(own.sealed, present(manifests[0]).file.name));
      const { chunkIndexes } = await readSummary(bytesReadable(bytes), 'sealed', defaultMcapLimits);
      const { chunkStartOffset, chunkLength, compressedSize, uncompressedSize } = present(chunkIndexes[0]);
      const end = Number(chunkStartOffset + chunkLength);
      const compressed = bytes.subarray(end - Number(compressedSize), end);
      const records = zstd.decompress(compressed, Number(uncompressedSize));
      return [-1, 1, 3].filter((level) => compressed.equals(zstd.compress(records, level)));
    };
    assert.deepEqual(await levelsIn(1), [-1]);
    assert.deepEqual(await levelsIn(60), [1]);
  });

  it('writes one object per priority class, and each gap once', async () => {
    const [segment] = await closedSegments(folder, twoRobots(), ({ topic }) =>
      topic === '/crab/odom' ? 'high' : 'normal',
    );
    const { manifests } = await seal(folder, segment, { splitByPriority: true });
    assert.deepEqual(
      manifests.map(({ robot, segment: { priority = '' }, messages }) => [robot, priority, messages]).sort(),
      [
        ['crab', '', 1],
        ['crab', 'high', 2],
        ['squid', '', 1],
      ],
    );
    assert.equal(new Set(manifests.map(({ key }) => key)).size, 3);
    assert.equal(manifests.flatMap(({ gaps }) => gaps).length, 1);
    assert.deepEqual(await everything(folder), [
      '/crab/odom c1',
      '/crab/odom c2',
      '/robot_description urdf',
      '/squid/odom s1',
    ]);
  });

  it('seals a robot that has nothing but gaps', async () => {
    const [segment] = await closedSegments(folder, [[batch([], [dropGap])]]);
    const { manifests } = await seal(folder, segment);
    assert.equal(manifests.length, 1);
    assert.deepEqual([manifests[0]!.messages, manifests[0]!.gaps.length], [0, 1]);
    assert.equal(manifests[0]!.firstLogTime, undefined);
    assert.match(manifests[0]!.key, /date=2023-11-14/);
  });

  it('leaves out what belongs to a later segment', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const { manifests } = await seal(folder, segment, { cutAtSequence: 3 });
    assert.deepEqual(
      manifests.map(({ robot, messages }) => [robot, messages]).sort(),
      [
        ['crab', 2],
        ['squid', 0],
      ],
      'squid still has its gap',
    );
    assert.deepEqual(await everything(folder), ['/crab/odom c1', '/robot_description urdf']);
  });

  it('records an unclean end once per robot, after its last message, however often it is sealed', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    await cutEnd(segment.directory);
    for (let turn = 0; turn < 2; turn++) {
      const { manifests, report } = await seal(folder, segment, { verifyPayloads: true });
      assert.equal(report.state, 'unclean');
      for (const { robot, gaps, uncleanEnd, lastLogTime } of manifests) {
        const told = gaps.filter(({ reason }) => reason === 'unclean_end');
        assert.deepEqual(
          told.map(({ id, count, firstTime }) => [id, count, firstTime]),
          [[`unclean-${segment.id}`, undefined, lastLogTime]],
          robot,
        );
        assert.ok(uncleanEnd);
      }
    }
    assert.equal((await sealedNames(folder)).length, 4);
  });

  /** Takes the end mark off the log, as a kill would have. */
  async function cutEnd(directory: string): Promise<void> {
    const log = join(directory, '000003.log');
    await realFs.truncate(log, (await realFs.stat(log)).size - 5);
  }

  it('finds payload damage while copying, and salvages under another id, always the same', async () => {
    const sent = [1, 2, 3].map((n) => message(crab, payload(70_000, n), { sourceSequence: n }));
    const [segment] = await closedSegments(folder, [
      sent.map((one) => batch([one])).concat(batch([message(squid, 's')])),
    ]);
    const blob = join(segment.directory, 'blob');
    const bytes = await realFs.readFile(blob);
    bytes[bytes.indexOf(Buffer.from(sent[1]!.data.subarray(0, 40))) + 100]! ^= 4;
    await realFs.writeFile(blob, bytes);
    const first = await seal(folder, segment);
    assert.equal(first.salvagedAs, salvageId(segment.id));
    assert.notEqual(first.salvagedAs, segment.id);
    const ofCrab = present(first.manifests.find(({ robot }) => robot === 'crab'));
    assert.deepEqual(
      [ofCrab.messages, ofCrab.segment.salvagedFrom, ofCrab.uncleanEnd],
      [2, segment.id, true],
    );
    assert.deepEqual(
      ofCrab.gaps.map(({ reason, topic, count }) => [reason, topic, count]),
      [
        ['corrupt', '/crab/odom', 1],
        ['corrupt', undefined, undefined],
      ],
    );
    assert.ok(
      (await sealedNames(folder)).every((name) => name.startsWith(present(first.salvagedAs))),
      'no .tmp is left',
    );
    assert.deepEqual((await seal(folder, segment, { verifyPayloads: true })).manifests, first.manifests);
    const [object] = await Promise.all([readSealed(join(folder.sealed, ofCrab.file.name))]);
    assert.equal(object.identity['segment'], first.salvagedAs);
    assert.equal(object.identity['salvaged_from'], segment.id);
  });

  it('salvages nothing that was already sealed before the damage came', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const whole = await seal(folder, segment);
    const ofCrab = present(whole.manifests.find(({ robot }) => robot === 'crab'));
    await realFs.rm(join(folder.sealed, ofCrab.file.name.replace(/\.mcap$/, '.json')));
    const log = join(segment.directory, '000003.log');
    const bytes = await realFs.readFile(log);
    bytes[bytes.indexOf('c2')]! ^= 1;
    await realFs.writeFile(log, bytes);
    await realFs.rm(join(folder.sealed, ofCrab.file.name));
    const { manifests, salvagedAs } = await seal(folder, segment, { verifyPayloads: true });
    assert.deepEqual(manifests.map(({ robot, segment: { id } }) => [robot, id]).sort(), [
      ['crab', salvagedAs],
      ['squid', segment.id],
    ]);
    assert.deepEqual(await everything(folder), [
      '/crab/odom c1',
      '/robot_description urdf',
      '/squid/odom s1',
    ]);
  });

  it('does not seal a damaged carried message as if it were whole', async () => {
    const latched = channel('/map', { robot: 'crab', latched: true });
    const map = payload(70_000, 5);
    const [, second] = await closedSegments(folder, [
      [batch([message(latched, map)])],
      [batch([message(crab, 'c')])],
    ]);
    const blob = join(second.directory, 'blob');
    const bytes = await realFs.readFile(blob);
    bytes[bytes.length - 10]! ^= 1;
    await realFs.writeFile(blob, bytes);
    const { salvagedAs, manifests } = await seal(folder, second);
    assert.equal(salvagedAs, salvageId(second.id));
    assert.equal(manifests[0]!.messages, 1);
    assert.equal(manifests[0]!.gaps.length, 1);
  });

  it('keeps numbers that identify messages whole, beyond the 32 bits MCAP has for them', async () => {
    const events = channel('events', { numberedIn: 'nats:S@2026', metadata: { nats_stream: 'S' } });
    const numbers = [2 ** 32 + 1, 5, 2 ** 40 + 7, 2 ** 32 - 1, 2 ** 40 + 3];
    const messages = numbers.map((n) => message(events, String(n), { sourceSequence: n }));
    const [segment] = await closedSegments(folder, [[batch(messages)]]);
    const { manifests } = await seal(folder, segment);
    const path = join(folder.sealed, manifests[0]!.file.name);
    const reader = await openMcap(bytesReadable(await realFs.readFile(path)), path);
    const read: [string, string][] = [];
    for await (const { channel: of, sequence, data } of reader.messages()) {
      assert.equal(of.metadata['nats_stream'], 'S');
      read.push([Buffer.from(data).toString(), String(fullSequence(of.metadata, sequence))]);
    }
    assert.deepEqual(
      read,
      numbers.map((n) => [String(n), String(n)]),
    );
    assert.equal(manifests[0]!.channels.length, 1);
    const [{ firstSourceSequence, lastSourceSequence }] = manifests[0]!.channels as [ManifestChannel];
    assert.deepEqual([firstSourceSequence, lastSourceSequence], [5, 2 ** 40 + 7]);
  });

  it('gives the same result after being stopped at any of its steps', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const reference = await seal(folder, segment);
    const messages = await everything(folder);
    const files = await readAll();
    for (let stopAt = 1; ; stopAt++) {
      await realFs.rm(folder.sealed, { recursive: true });
      await realFs.mkdir(folder.sealed);
      const fs = watchedFs(({ number }) => {
        if (number >= stopAt) throw systemError('EIO');
      });
      const completed = await seal(folder, segment, {}, fs).then(
        () => true,
        (error: unknown) => !isHoldfastError(error, 'SEAL_FAILED'),
      );
      const again = await seal(folder, segment);
      assert.deepEqual(again.manifests, reference.manifests, `stopped at step ${stopAt}`);
      assert.deepEqual(await everything(folder), messages);
      assert.deepEqual(await readAll(), files, 'byte for byte');
      if (completed) {
        assert.ok(stopAt > 12, `${stopAt} steps`);
        break;
      }
    }
  });

  it('makes the manifests of an earlier attempt durable before the segment may be removed', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    let synced = 0;
    const atSync = (refuseFrom: number) =>
      watchedFs(({ method, path }) => {
        if (method === 'sync' && path === folder.sealed && ++synced >= refuseFrom) throw systemError('EIO');
      });
    // Objects and manifests of two robots: the last of four names is there, and not durable.
    await assert.rejects(seal(folder, segment, {}, atSync(4)));
    assert.equal((await sealedNames(folder)).length, 4);
    synced = 0;
    await seal(folder, segment, {}, atSync(Infinity));
    assert.ok(synced > 0);
  });

  async function readAll(): Promise<[string, string][]> {
    const names = await sealedNames(folder);
    return Promise.all(
      names.map(async (name): Promise<[string, string]> => [
        name,
        (await realFs.readFile(join(folder.sealed, name))).toString('latin1'),
      ]),
    );
  }

  it('reports that the disk is full, and leaves no half-written file in the way', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const fs = watchedFs(({ method, path }) => {
      if (method === 'write' && path.includes('.squid.')) throw systemError('ENOSPC');
    });
    await assert.rejects(seal(folder, segment, {}, fs), (error) => isHoldfastError(error, 'DISK_FULL'));
    assert.deepEqual(
      (await sealedNames(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
    await seal(folder, segment);
    assert.equal((await sealedNames(folder)).length, 4);
  });

  it('makes an object again whose manifest was damaged while the segment was still there', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const { manifests } = await seal(folder, segment);
    const path = join(folder.sealed, manifests[0]!.file.name.replace(/\.mcap$/, '.json'));
    await realFs.writeFile(path, '{"format":');
    assert.deepEqual((await seal(folder, segment)).manifests, manifests);
    assert.equal(await realFs.readFile(path, 'utf8'), encodeManifest(manifests[0]!));
  });

  it('keeps robot names inside their folder', async () => {
    const names = ['../../escape', '/abs', '', '.', '..', 'ünï/cødé', 'x'.repeat(4096), '\ud800'];
    const sent = names.map((robot) => message(channel('/t', { robot }), robot.slice(0, 5)));
    const [segment] = await closedSegments(folder, [[batch(sent)]]);
    const { manifests } = await seal(folder, segment);
    assert.equal(manifests.length, names.length);
    assert.equal((await sealedNames(folder)).length, 2 * names.length);
    for (const { key } of manifests) {
      assert.ok(Buffer.byteLength(key) < 1024 && !key.split('/').some((part) => /^\.*$/.test(part)), key);
    }
  });

  describe('in the worker thread', () => {
    const builds: [string, () => Promise<typeof SealWorker>][] = [
      ['as this process runs', () => Promise.resolve(SealWorker)],
    ];
    const built = fileURLToPath(new URL('../../dist/src/seal/seal-in-worker.js', import.meta.url));
    if (existsSync(built)) {
      builds.push([
        'as built',
        async () => ((await import(built)) as { SealWorker: typeof SealWorker }).SealWorker,
      ]);
    }
    for (const [name, load] of builds) {
      it(`does the same (${name})`, async () => {
        const [segment, second] = await closedSegments(folder, twoRobots());
        const direct = await seal(folder, segment);
        await realFs.rm(folder.sealed, { recursive: true });
        await realFs.mkdir(folder.sealed);
        await using worker = new (await load())();
        assert.deepEqual((await worker.seal(sealRequest(folder, segment))).manifests, direct.manifests);
        await worker.seal(sealRequest(folder, second));
        assert.equal((await sealedNames(folder)).length, 8);
      });
    }

    it('does the same without a thread', async () => {
      const [segment] = await closedSegments(folder, twoRobots());
      const direct = await seal(folder, segment);
      await realFs.rm(folder.sealed, { recursive: true });
      await realFs.mkdir(folder.sealed);
      await using sealing = new SealHere();
      assert.deepEqual((await sealing.seal(sealRequest(folder, segment))).manifests, direct.manifests);
      const broken = sealRequest(folder, { id: segment.id, directory: join(folder.wal, 'absent') });
      await assert.rejects(sealing.seal(broken), (error) => isHoldfastError(error, 'SEAL_FAILED'));
    });

    it('brings errors back with their code, and continues', async () => {
      const [segment] = await closedSegments(folder, twoRobots());
      await using worker = new SealWorker();
      const broken = sealRequest(folder, { id: segment.id, directory: join(folder.wal, 'absent') });
      await assert.rejects(
        worker.seal(broken),
        (error) => isHoldfastError(error, 'SEAL_FAILED') && /ENOENT/.test(error.message),
      );
      assert.equal((await worker.seal(sealRequest(folder, segment))).manifests.length, 2);
    });
  });
});
