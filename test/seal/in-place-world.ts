import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { defined } from '../../src/core/defined.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger } from '../../src/core/logger.js';
import { decodeManifest, isDigested, type Manifest } from '../../src/core/manifest.js';
import type { Channel, Message, Priority } from '../../src/core/message.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import type { Batch } from '../../src/ingest/batch.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import { Sealer, type SealerOptions } from '../../src/seal/sealer.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import type { InPlaceOptions } from '../../src/wal/placement.js';
import { recoverWal } from '../../src/wal/recover.js';
import { emptyHead } from '../../src/wal/wal-head.js';
import type { ClosedSegment } from '../../src/wal/wal-ports.js';
import { TestClock } from '../support/test-clock.js';
import { batch, channel, identity, makeWal, message, payload } from '../wal/wal-support.js';

/** Payloads of this many bytes and more are written in place. */
export const IN_PLACE_BYTES = 100;
export const always: InPlaceOptions = { minBytes: IN_PLACE_BYTES, splitByPriority: false };

const start = 1_700_000_000_000_000_000n;
const schema = { name: 'p/msg/Image', encoding: 'ros2msg', data: Buffer.from('uint8[] data\n') };
export const camera = channel('/crab/camera', { schema, metadata: { offered_qos_profiles: '- depth: 1\n' } });
const depth = channel('/crab/depth', { schema });
const lidar = channel('/squid/lidar', { robot: 'squid', schema: { ...schema, name: 'p/msg/Cloud' } });
const odom = channel('/crab/odom');
const description = channel('/robot_description', { latched: true });

/** Large and small messages of two robots, numbered and not; the first segment latches what the second carries. */
export function mixedBatches(size = 150): Batch[][] {
  let number = 0;
  const next = (of: Channel, bytes: number, options: Partial<Message> = {}): Message => {
    const receivedAt = start + BigInt(++number) * 1_000_000n;
    return message(of, payload(bytes, number), { receivedAt, publishedAt: receivedAt - 3n, ...options });
  };
  return [
    [batch([next(description, 20)])],
    [
      batch([next(odom, 10), next(camera, size), next(lidar, size + 1), next(camera, 30)]),
      batch([next(camera, size, { sourceSequence: 2 ** 32 + 7 }), next(odom, 12)]),
      batch(
        [next(depth, size + 50), next(odom, 9), next(lidar, 50)],
        [
          {
            id: 'dropped',
            reason: 'queue_full_drop_oldest',
            robot: 'squid',
            topic: '/squid/lidar',
            count: 2,
          },
        ],
      ),
      batch([next(odom, 8)]),
      batch([next(camera, size), next(depth, size), next(lidar, size)]),
    ],
  ];
}

/** Writes segments into a data folder, the last one with its payloads in place; returns that one. */
export async function inPlaceSegment(
  folder: DataFolder,
  segments: readonly (readonly Batch[])[],
  setup: {
    readonly fs?: FileSystem;
    /** Null: none. */
    readonly inPlace?: InPlaceOptions | null;
    readonly priorityOf?: (channel: Channel) => Priority;
  } = {},
): Promise<ClosedSegment> {
  const { wal: walFolder, sealed, quarantine, trash } = folder;
  for (const path of [walFolder, sealed, quarantine, trash]) await realFs.mkdir(path, { recursive: true });
  const { wal, closed } = makeWal(folder, emptyHead, new TestClock(), {
    random: seededBytes(4),
    ...defined({ fs: setup.fs, priorityOf: setup.priorityOf }),
    options: setup.inPlace === null ? {} : { inPlace: setup.inPlace ?? always },
  });
  for (const batches of segments) {
    for (const one of batches) await wal.commit(one);
    await wal.roll();
  }
  await wal.close();
  return present(closed.at(-1));
}

export interface HeldMessage {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly data: string;
  readonly logTime: bigint;
  readonly publishTime: bigint;
  readonly sequence: number;
  readonly carried: boolean;
}

/** Everything in `sealed/`, every object checked against its manifest. */
export async function sealedContent(
  sealed: string,
): Promise<{ messages: HeldMessage[]; manifests: Manifest[] }> {
  const messages: HeldMessage[] = [];
  const manifests: Manifest[] = [];
  for (const name of (await realFs.readdir(sealed)).sort()) {
    if (!name.endsWith('.mcap')) continue;
    const path = join(sealed, name);
    const bytes = await realFs.readFile(path);
    const manifest = decodeManifest(await realFs.readFile(path.replace(/\.mcap$/, '.json'), 'utf8'), name);
    const { file } = manifest;
    assert.deepEqual([file.bytes, file.crc32], [bytes.length, crc32(bytes)], name);
    if (isDigested(manifest))
      assert.equal(file.sha256, createHash('sha256').update(bytes).digest('hex'), name);
    manifests.push(manifest);
    const reader = await openMcap(bytesReadable(bytes), name);
    for await (const { channel: of, data, logTime, publishTime, sequence } of reader.messages()) {
      messages.push({
        robot: manifest.robot,
        topic: of.topic,
        type: of.schema.name,
        data: Buffer.from(data).toString('hex'),
        logTime,
        publishTime,
        sequence,
        carried: of.carried,
      });
    }
  }
  const key = (one: HeldMessage): string => `${one.robot} ${one.logTime} ${one.topic} ${one.carried}`;
  return { messages: messages.sort((a, b) => (key(a) < key(b) ? -1 : 1)), manifests };
}

export const sealerOptions: SealerOptions = {
  compression: 'zstd',
  level: 1,
  chunkBytes: 64 * 1024,
  splitByPriority: false,
  softwareVersion: '0.0.0-test',
  nodeVersion: 'v20',
};

/** Recovers a data folder and seals what is in it, as a recorder does at its start. Throws what stands in the way. */
export async function recoverAndSeal(folder: DataFolder, fs: FileSystem = realFs): Promise<void> {
  const { segments } = await recoverWal(fs, folder, silentLogger);
  const sealer = new Sealer(folder, sealerOptions, {
    fs,
    clock: new TestClock(),
    logger: silentLogger,
    identity,
    seal: (request) => sealSegment(fs, request),
    onSealed: () => undefined,
  });
  for (const { id, directory, cutAtSequence } of segments) {
    sealer.enqueue({ id, directory, recovered: true, ...defined({ cutAtSequence }) });
  }
  await sealer.drain();
  await sealer.close();
  if (sealer.waiting > 0) throw new Error(sealer.lastError);
}
