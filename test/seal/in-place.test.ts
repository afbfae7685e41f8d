import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { McapIndexedReader } from '@mcap/core';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import type { Manifest } from '../../src/core/manifest.js';
import type { Message } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import type { ClosedSegment } from '../../src/wal/wal-ports.js';
import { quickFs } from '../wal/crash-states.js';
import { systemError, watchedFs } from '../wal/faulty-fs.js';
import { batch, channel, message, payload, temporaryFolder } from '../wal/wal-support.js';
import {
  always,
  camera,
  inPlaceSegment,
  mixedBatches,
  recoverAndSeal,
  sealedContent,
  type HeldMessage,
} from './in-place-world.js';
import { seal } from './seal-world.js';

const objectsOf = async (directory: string): Promise<string[]> =>
  (await realFs.readdir(directory)).filter((name) => name.endsWith('.mcap')).sort();

describe('Sealing in place', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
  });

  /** What sealing the same segment gives when every record is copied. */
  async function copied(segment: ClosedSegment): Promise<HeldMessage[]> {
    const apart = join(folder.root, 'apart');
    await realFs.mkdir(apart);
    await seal(folder, segment, { copies: true, sealedFolder: apart });
    const { messages } = await sealedContent(apart);
    await realFs.rm(apart, { recursive: true });
    return messages;
  }

  async function inodes(...paths: string[]): Promise<number[]> {
    return Promise.all(paths.map(async (path) => (await realFs.stat(path)).ino));
  }

  it('gives the same messages as copying, in the files that the recorder wrote', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const names = await objectsOf(segment.directory);
    assert.deepEqual(names, ['object-1.mcap', 'object-2.mcap']);
    const expected = await copied(segment);
    assert.equal(expected.length, 14);
    const { manifests } = await seal(folder, segment);
    const sealed = await sealedContent(folder.sealed);
    assert.deepEqual(sealed.messages, expected);
    assert.deepEqual(
      await inodes(...manifests.map(({ file }) => join(folder.sealed, file.name))),
      await inodes(...names.map((name) => join(segment.directory, name))),
    );
    const ofCrab = present(manifests.find(({ robot }) => robot === 'crab'));
    assert.deepEqual(
      [ofCrab.messages, ofCrab.firstSequence, ofCrab.lastSequence, ofCrab.uncleanEnd],
      [10, 2, 13, false],
    );
    assert.deepEqual(
      present(manifests.find(({ robot }) => robot === 'squid')).gaps.map(({ id }) => id),
      ['dropped'],
    );
  });

  it('makes files that an indexed reader of MCAP reads, chunk by chunk', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const { manifests } = await seal(folder, segment);
    for (const { file, messages, channels } of manifests) {
      const bytes = await realFs.readFile(join(folder.sealed, file.name));
      const reader = await McapIndexedReader.Initialize({ readable: bytesReadable(bytes) });
      const carried = channels.reduce((sum, one) => sum + one.carried, 0);
      let count = 0;
      let last = 0n;
      for await (const { logTime } of reader.readMessages({ validateCrcs: true })) {
        assert.ok(logTime >= last);
        last = logTime;
        count++;
      }
      assert.equal(count, messages + carried);
      assert.equal(Number(present(reader.statistics).messageCount), count);
      assert.equal(present(reader.statistics).chunkCount, reader.chunkIndexes.length);
      assert.ok(reader.chunkIndexes.some(({ compression }) => compression === ''));
    }
  });

  it('writes no more than 1.1 bytes to the disk for each byte of payload', async () => {
    let written = 0;
    const counting = countingFs((bytes) => (written += bytes));
    const messages = Array.from({ length: 40 }, (_, i) => message(camera, payload(100_000, i)));
    const segment = await inPlaceSegment(folder, [messages.map((one) => batch([one]))], {
      fs: counting,
      inPlace: { ...always, minBytes: 64 * 1024 },
    });
    // LevelDB does not write through the port.
    for (const name of await realFs.readdir(segment.directory)) {
      if (!/^object-|^blob$/.test(name)) written += (await realFs.stat(join(segment.directory, name))).size;
    }
    await seal(folder, segment, { compression: 'zstd' }, counting);
    assert.equal((await sealedContent(folder.sealed)).messages.length, 40);
    const ratio = written / (40 * 100_000);
    assert.ok(ratio > 1 && ratio <= 1.1, `${ratio}`);
  });

  it('cuts the bytes that a torn commit left after the last chunk', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const path = join(segment.directory, 'object-1.mcap');
    const whole = await realFs.readFile(path);
    await realFs.appendFile(path, whole.subarray(60));
    const expected = await copied(segment);
    await seal(folder, segment);
    assert.deepEqual((await sealedContent(folder.sealed)).messages, expected);
  });

  it('is finished by the next start, wherever it was stopped', async function () {
    this.timeout(600_000);
    const kept = await temporaryFolder();
    await inPlaceSegment(kept, mixedBatches());
    const untouched = await copyOf(kept);
    await recoverAndSeal(untouched, quickFs());
    const { messages: expected } = await sealedContent(untouched.sealed);
    assert.equal(expected.filter(({ carried }) => !carried).length, 14);
    let steps = 0;
    for (let at = 1; ; at++) {
      const one = await copyOf(kept);
      let step = 0;
      const stopping = quickFs(() => {
        steps = Math.max(steps, ++step);
        if (step >= at) throw systemError('EIO');
      });
      const isStopped = await recoverAndSeal(one, stopping).then(
        () => false,
        () => true,
      );
      if (isStopped) {
        for (const name of await realFs.readdir(one.sealed)) {
          // What has a manifest is whole, and stays so.
          if (name.endsWith('.json'))
            assert.ok((await realFs.readdir(one.sealed)).includes(name.replace('.json', '.mcap')));
        }
        await recoverAndSeal(one, quickFs());
      }
      const { messages, manifests } = await sealedContent(one.sealed);
      assert.deepEqual(messages, expected, `stopped at step ${at}`);
      assert.ok(manifests.every(({ uncleanEnd }) => !uncleanEnd));
      assert.deepEqual(await realFs.readdir(one.wal), []);
      assert.deepEqual(await realFs.readdir(one.quarantine), []);
      await realFs.rm(one.root, { recursive: true });
      if (!isStopped) break;
    }
    assert.ok(steps > 40, `${steps} steps`);
    for (const { root } of [kept, untouched]) await realFs.rm(root, { recursive: true });
  });

  it('loses at most the payload that a damaged byte of an object file lies in, and says which', async function () {
    this.timeout(600_000);
    const segment = await inPlaceSegment(folder, mixedBatches(100).slice(0, 2));
    const expected = new Set((await copied(segment)).map(keyOf));
    let copies = 0;
    let salvaged = 0;
    const originals = new Map<string, Buffer>();
    for (const name of await objectsOf(segment.directory)) {
      const path = join(segment.directory, name);
      originals.set(path, await realFs.readFile(path));
    }
    for (const [path, bytes] of originals) {
      const name = basename(path);
      for (let offset = 0; offset < bytes.length; offset += 11) {
        const damaged = Buffer.from(bytes);
        damaged[offset]! ^= 1 << (offset % 8);
        await realFs.writeFile(path, damaged);
        const { manifests, salvagedAs, report } = await seal(
          folder,
          segment,
          { verifyPayloads: true },
          quickFs(),
        );
        const { messages } = await sealedContent(folder.sealed);
        const missing = [...expected].filter((one) => !messages.some((held) => keyOf(held) === one));
        assert.ok(
          messages.every((held) => expected.has(keyOf(held))),
          `${name} at ${offset}`,
        );
        assert.equal(missing.length, salvagedAs ? 1 : 0, `${name} at ${offset}`);
        if (salvagedAs) {
          salvaged++;
          assert.equal(report.state, 'corrupt');
          assert.equal(
            manifests
              .flatMap(({ gaps }) => gaps)
              .filter(({ count, reason }) => reason === 'corrupt' && count === 1).length,
            1,
          );
        } else copies++;
        assert.ok((await realFs.readFile(path)).equals(damaged), 'a damaged file is never changed');
        await realFs.rm(folder.sealed, { recursive: true });
        await realFs.mkdir(folder.sealed);
        // The other file was finished in place.
        for (const [one, content] of originals) await realFs.writeFile(one, content);
      }
    }
    assert.ok(copies > 15 && salvaged > 15, `${copies} copied, ${salvaged} salvaged`);
  });

  it('copies if an object file is missing or cut short, and reports the loss', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    await realFs.truncate(join(segment.directory, 'object-1.mcap'), 500);
    await realFs.rm(join(segment.directory, 'object-2.mcap'));
    const { report, salvagedAs } = await seal(folder, segment);
    assert.equal(report.state, 'corrupt');
    assert.ok(salvagedAs);
    const { messages, manifests } = await sealedContent(folder.sealed);
    // The small ones lie in the batches.
    assert.equal(messages.filter(({ data }) => data.length < 200).length, 7);
    const lost = manifests.flatMap(({ gaps }) => gaps).filter(({ id }) => /^corrupt-.*-\d+$/.test(id));
    assert.equal(lost.length, 14 - messages.length);
  });

  it('copies a segment that is cut, that is sealed sparingly, or whose objects are split otherwise', async () => {
    for (const [what, options] of [
      ['cut', { cutAtSequence: 13 }],
      ['sparing', { sparing: true }],
      ['split', { splitByPriority: true }],
    ] as const) {
      const apart = dataFolder(join(folder.root, what));
      const segment = await inPlaceSegment(apart, mixedBatches(), {
        priorityOf: ({ topic }) => (topic === camera.topic ? 'high' : 'normal'),
      });
      const path = join(segment.directory, 'object-1.mcap');
      const before = await realFs.readFile(path);
      await seal(apart, segment, options);
      const { messages, manifests } = await sealedContent(apart.sealed);
      assert.equal(messages.filter(({ carried }) => !carried).length, what === 'cut' ? 11 : 13);
      assert.ok((await realFs.readFile(path)).equals(before), what);
      assert.equal(manifests.length, what === 'split' ? 3 : 2);
    }
  });

  it('gives each priority class an object file of its own if sealing does', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches(), {
      inPlace: { ...always, splitByPriority: true },
      priorityOf: ({ topic }) => (topic === camera.topic ? 'high' : 'normal'),
    });
    const { manifests } = await seal(folder, segment, { splitByPriority: true });
    const sealed = await inodes(...manifests.map(({ file }) => join(folder.sealed, file.name)));
    const objects = await objectsOf(segment.directory);
    const written = await inodes(...objects.map((name) => join(segment.directory, name)));
    assert.deepEqual(sealed.sort(), written.sort());
    assert.equal((await sealedContent(folder.sealed)).messages.length, 14);
  });

  it('copies if the file system has no hard links', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const expected = await copied(segment);
    const fs = watchedFs(({ method }) => {
      if (method === 'link') throw systemError('EPERM');
    });
    await seal(folder, segment, {}, fs);
    assert.deepEqual((await sealedContent(folder.sealed)).messages, expected);
  });

  it('writes small segments as before, byte for byte', async () => {
    const apart = dataFolder(join(folder.root, 'apart'));
    const small = mixedBatches(40);
    const [now, before] = await Promise.all([
      inPlaceSegment(folder, small),
      inPlaceSegment(apart, small, { inPlace: null }),
    ]);
    const [ofNow, ofBefore] = await Promise.all([contents(now.directory), contents(before.directory)]);
    ofNow.delete('LOG');
    ofBefore.delete('LOG');
    assert.deepEqual(ofNow, ofBefore);
  });

  it('leaves in the batch what is small or has an identity above 2^32', async () => {
    const numbered = channel('/numbered', { numberedIn: 'stream' });
    const sent = [
      message(camera, payload(70_000, 1)),
      message(numbered, payload(70_000, 2), { sourceSequence: 2 ** 32 }),
      message(numbered, payload(70_000, 3), { sourceSequence: 5 }),
      message(camera, payload(60_000, 4)),
    ];
    const segment = await inPlaceSegment(folder, [[batch(sent)]], {
      inPlace: { ...always, minBytes: 64 * 1024 },
    });
    const { size } = await realFs.stat(join(segment.directory, 'object-1.mcap'));
    assert.ok(size > 140_000 && size < 142_000, `${size}`);
    const expected = await copied(segment);
    await seal(folder, segment);
    assert.deepEqual((await sealedContent(folder.sealed)).messages, expected);
  });

  it('copies what compresses if it comes slowly enough, and leaves noise and fast topics in their place', async () => {
    const MS = 1_000_000n;
    const start = 1_700_000_000_000_000_000n;
    const image = (fill: number, i: number, everyMs: bigint): Message =>
      message(camera, Uint8Array.from(payload(100_000, i)).fill(7, 0, fill), {
        receivedAt: start + BigInt(i) * everyMs * MS,
      });
    // 40 messages of 100 kB within 4 s are 1 MB/s, within 0.4 s they are 4 MB in one second.
    for (const [what, fill, everyMs, limit, isCopied] of [
      ['an even half, slowly', 50_000, 100n, 1_100_000, true],
      ['an even half, too fast', 50_000, 100n, 900_000, false],
      ['an even half within a second', 50_000, 10n, 3_900_000, false],
      ['noise', 0, 100n, 1e9, false],
      ['without a limit', 50_000, 100n, undefined, false],
    ] as const) {
      const apart = dataFolder(join(folder.root, what));
      const messages = Array.from({ length: 40 }, (_, i) => image(fill, i, everyMs));
      const segment = await inPlaceSegment(apart, [[batch(messages)]]);
      const [written] = await inodes(join(segment.directory, 'object-1.mcap'));
      const { manifests } = await seal(apart, segment, {
        compression: 'zstd',
        ...(limit === undefined ? {} : { compressMaxBytesPerS: limit }),
      });
      const [{ file }] = manifests as [Manifest];
      const [sealed] = await inodes(join(apart.sealed, file.name));
      assert.equal(sealed !== written, isCopied, what);
      assert.equal(file.bytes < 3_000_000, isCopied, `${what}: ${file.bytes} bytes`);
      assert.equal((await sealedContent(apart.sealed)).messages.length, 40);
    }
  });

  it('reads nothing back of a segment of its own, whose SHA-256 is left to sync', async () => {
    for (const [what, options, isDigested] of [
      ['own', {}, false],
      ['of an earlier process', { verifyPayloads: true }, true],
    ] as const) {
      const apart = dataFolder(join(folder.root, what));
      const segment = await inPlaceSegment(apart, mixedBatches());
      const { manifests } = await seal(apart, segment, options);
      for (const { version, file } of manifests) {
        assert.equal(file.sha256 !== undefined, isDigested, what);
        assert.equal(version, isDigested ? 1 : 2, what);
      }
      // The CRC of each file follows from those of the batches.
      assert.equal((await sealedContent(apart.sealed)).messages.length, 14);
    }
  });

  it('uses the blob for robots beyond the sixteenth', async () => {
    const robots = Array.from({ length: 20 }, (_, i) => channel(`/r${i}/camera`, { robot: `r${i}` }));
    const segment = await inPlaceSegment(folder, [
      [batch(robots.map((of, i) => message(of, payload(200, i))))],
    ]);
    assert.equal((await objectsOf(segment.directory)).length, 16);
    const { manifests } = await seal(folder, segment);
    assert.equal(manifests.length, 20);
    assert.equal((await sealedContent(folder.sealed)).messages.length, 20);
  });

  async function copyOf(from: DataFolder): Promise<DataFolder> {
    const to = await temporaryFolder();
    await realFs.cp(from.root, to.root, { recursive: true });
    return to;
  }
});

/** Without the sequence, which counts the messages of the channel that are there. */
const keyOf = ({ robot, topic, data, logTime, publishTime, carried }: HeldMessage): string =>
  [robot, topic, data, logTime, publishTime, carried].join(' ');

async function contents(directory: string): Promise<Map<string, string>> {
  const names = (await realFs.readdir(directory)).filter((name) => name !== 'LOCK').sort();
  const read = names.map(async (name) => (await realFs.readFile(join(directory, name))).toString('hex'));
  const all = await Promise.all(read);
  return new Map(names.map((name, i) => [name, all[i]!]));
}

/** Counts the bytes that are written through file handles. */
function countingFs(onBytes: (bytes: number) => void): FileSystem {
  const open = async (...args: Parameters<FileSystem['open']>): Promise<realFs.FileHandle> => {
    const handle = await realFs.open(...args);
    const writev = handle.writev.bind(handle);
    const write = handle.write.bind(handle) as (...rest: unknown[]) => Promise<{ bytesWritten: number }>;
    const writeFile = handle.writeFile.bind(handle);
    handle.writev = async (pieces, position) => {
      const result = await writev(pieces, position);
      onBytes(result.bytesWritten);
      return result;
    };
    handle.write = (async (...rest: unknown[]) => {
      const result = await write(...rest);
      onBytes(result.bytesWritten);
      return result;
    }) as typeof handle.write;
    handle.writeFile = async (data, options) => {
      onBytes(Buffer.byteLength(data));
      return writeFile(data, options);
    };
    return handle;
  };
  return { ...realFs, open };
}
