import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { Gap } from '../../src/core/gap.js';
import type { Channel, Priority } from '../../src/core/message.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { sealSegment, type SealResult } from '../../src/seal/seal-segment.js';
import { type SealRequest } from '../../src/seal/seal-request.js';
import type { Batch } from '../../src/ingest/batch.js';
import { emptyHead } from '../../src/wal/wal-head.js';
import type { ClosedSegment } from '../../src/wal/wal-ports.js';
import { batch, channel, identity, makeWal, message } from '../wal/wal-support.js';
import { TestClock } from '../support/test-clock.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

/** A data folder with its places, and in it one closed WAL segment for each list of batches. */
export async function closedSegments<const Segments extends readonly (readonly Batch[])[]>(
  folder: DataFolder,
  segments: Segments,
  priorityOf: (channel: Channel) => Priority = () => 'normal',
): Promise<{ -readonly [Index in keyof Segments]: ClosedSegment }> {
  const { wal: walFolder, sealed, quarantine, trash } = folder;
  for (const path of [walFolder, sealed, quarantine, trash]) await realFs.mkdir(path, { recursive: true });
  const { wal, closed } = makeWal(folder, emptyHead, new TestClock(), {
    random: seededBytes(4),
    priorityOf,
  });
  for (const batches of segments) {
    for (const one of batches) await wal.commit(one);
    await wal.roll();
  }
  await wal.close();
  assert.equal(closed.length, segments.length);
  return closed as { -readonly [Index in keyof Segments]: ClosedSegment };
}

export function sealRequest(
  folder: DataFolder,
  segment: { id: string; directory: string },
  options: Partial<SealRequest> = {},
): SealRequest {
  return {
    id: segment.id,
    directory: segment.directory,
    sealedFolder: folder.sealed,
    compression: 'none',
    level: 1,
    chunkBytes: 64 * 1024,
    splitByPriority: false,
    verifyPayloads: false,
    softwareVersion: '0.0.0-test',
    nodeVersion: 'v20',
    sealedAt: 1_700_000_100_000_000_000n,
    identity,
    ...options,
  };
}

export const seal = (
  folder: DataFolder,
  segment: { id: string; directory: string },
  options: Partial<SealRequest> = {},
  fs: FileSystem = realFs,
): Promise<SealResult> => sealSegment(fs, sealRequest(folder, segment, options));

export interface SealedMessage {
  readonly topic: string;
  readonly text: string;
  readonly logTime: bigint;
  readonly sequence: number;
}

export interface SealedObject {
  readonly messages: readonly SealedMessage[];
  readonly carried: readonly SealedMessage[];
  readonly gaps: readonly Record<string, unknown>[];
  readonly identity: Readonly<Record<string, string>>;
  readonly profile: string;
}

/** Reads one sealed MCAP whole, by its index. */
export async function readSealed(path: string): Promise<SealedObject> {
  const reader = await openMcap(bytesReadable(await realFs.readFile(path)), path);
  const messages: SealedMessage[] = [];
  const carried: SealedMessage[] = [];
  for await (const { channel: of, data, logTime, sequence } of reader.messages()) {
    const one = { topic: of.topic, text: Buffer.from(data).toString('latin1'), logTime, sequence };
    (of.carried ? carried : messages).push(one);
  }
  const gaps = await reader.metadata('holdfast_gap');
  const [described] = await reader.metadata('holdfast');
  return {
    messages,
    carried,
    gaps: gaps.map(
      ({ metadata }) =>
        JSON.parse(present(new Map(toEntries(metadata)).get('json'))) as Record<string, unknown>,
    ),
    identity: Object.fromEntries(toEntries(present(described).metadata)),
    profile: reader.profile,
  };
}

function toEntries(
  metadata: Iterable<[string, string]> | Readonly<Record<string, string>>,
): [string, string][] {
  return Symbol.iterator in metadata ? [...metadata] : Object.entries(metadata);
}

export const crab = channel('/crab/odom', { robot: 'crab' });
export const squid = channel('/squid/odom', { robot: 'squid' });
export const description = channel('/robot_description', { robot: 'crab', latched: true });

const start = 1_700_000_000_000_000_000n;
const at = (ms: number): { receivedAt: bigint; publishedAt: bigint } => ({
  receivedAt: start + BigInt(ms) * 1_000_000n,
  publishedAt: start,
});

export const dropGap: Gap = {
  id: 'drop',
  reason: 'queue_full_drop_oldest',
  robot: 'squid',
  topic: '/squid/odom',
  count: 4,
  firstTime: start,
  lastTime: start + 5n,
};

/** Two segments of two robots: the second carries what the first latched. */
export function twoRobots(): [Batch[], Batch[]] {
  return [
    [
      batch([
        message(description, 'urdf', at(0)),
        message(crab, 'c1', { ...at(2), sourceSequence: 7 }),
        message(squid, 's1', { ...at(1), sourceSequence: 2 ** 32 + 5 }),
      ]),
      batch([message(crab, 'c2', { ...at(3), sourceSequence: 8 })], [dropGap]),
    ],
    [batch([message(crab, 'c3', at(9)), message(squid, 's2', at(8))]), batch([message(crab, 'c4', at(7))])],
  ];
}

export async function sealedNames(folder: DataFolder): Promise<string[]> {
  return (await realFs.readdir(folder.sealed)).sort();
}

/** All messages of every sealed object, as `robot text`. */
export async function everything(folder: DataFolder): Promise<string[]> {
  const all: string[] = [];
  for (const name of await sealedNames(folder)) {
    if (!name.endsWith('.mcap')) continue;
    const { messages } = await readSealed(join(folder.sealed, name));
    all.push(...messages.map(({ topic, text }) => `${topic} ${text}`));
  }
  return all.sort();
}
