import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dataFolder } from '../../src/core/data-folder.js';
import type { Gap } from '../../src/core/gap.js';
import type { Batch } from '../../src/ingest/batch.js';
import { emptyHead } from '../../src/wal/wal-head.js';
import { channel, makeWal, message, payload } from './wal-support.js';
import { testWalKeys } from '../support/encrypted-segments.js';
import { TestClock } from '../support/test-clock.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

/*
 * A segment with everything a segment can hold, the same bytes at every run. Its files, written by each version
 * of the format, are committed under test/fixtures/wal and must stay readable. `node --import tsx
 * test/wal/golden-segment.ts [VERSION]` writes those of a new version beside them.
 */

export const goldenFolder = fileURLToPath(new URL('../../test/fixtures/wal', import.meta.url)).replace(
  /([/\\])dist[/\\]test[/\\]/,
  '$1test$1',
);

export const goldenGap: Gap = {
  id: 'golden-gap',
  reason: 'queue_full_drop_oldest',
  robot: 'squid',
  topic: '/scan',
  count: 2 ** 33,
  bytes: 2 ** 45,
  firstTime: 1_700_000_000_000_000_001n,
  lastTime: 1_700_000_000_000_000_002n,
  firstSourceSequence: 1,
  lastSourceSequence: 2 ** 34,
  settledThrough: 2 ** 34,
  detail: 'détail',
};

/** What is committed under test/fixtures/wal. */
export type GoldenVersion = 1 | 2 | 3;

const start = 1_700_000_000_000_000_000n;

export function goldenBatches(): Batch[] {
  const schema = { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data\n') };
  const scan = channel('/scan', {
    robot: 'squid',
    schema,
    metadata: { offered_qos_profiles: '- depth: 3\n' },
  });
  const json = channel('/état', {
    encoding: 'json',
    schema: { name: 'State', encoding: 'jsonschema', data: Buffer.from('{"type":"object"}') },
  });
  const latched = channel('/robot_description', { latched: true, schema });
  const at = (ms: number): { receivedAt: bigint; publishedAt: bigint } => ({
    receivedAt: start + BigInt(ms) * 1_000_000n,
    publishedAt: start + BigInt(ms) * 1_000_000n - 5n,
  });
  const batchOf = (messages: Batch['messages'], gaps: Batch['gaps'] = []): Batch => ({
    messages,
    gaps,
    bytes: messages.reduce((sum, { data }) => sum + data.byteLength, 0),
    oldestAt: 0n,
  });
  return [
    batchOf([message(latched, '<robot/>', { ...at(0), publisher: 'state_publisher' })]),
    batchOf([
      message(scan, payload(300, 1), { ...at(1), sourceSequence: 2 ** 34 + 1 }),
      message(json, '{"a":1}', at(2)),
      message(scan, new Uint8Array(0), { ...at(3), sourceSequence: 2 ** 34 + 2 }),
    ]),
    batchOf([], [goldenGap]),
    batchOf([message(scan, payload(70_000, 2), at(4)), message(json, '{}', at(5))]),
    batchOf([message(json, '{"last":true}', at(6))]),
  ];
}

/**
 * Writes the golden segment into a data folder whose `trash` and `wal` exist; returns its directory.
 *
 * @param version - 1, with the large payload in the blob; 2, with the payload in an object file; 3, as 1 and
 *   encrypted with the keys of the tests.
 */
export async function writeGoldenSegment(root: string, version: GoldenVersion = 1): Promise<string> {
  const folder = dataFolder(root);
  for (const path of [folder.wal, folder.trash]) await realFs.mkdir(path, { recursive: true });
  const clock = new TestClock();
  const head = { ...emptyHead, nextNumber: 6, nextSequence: 100 };
  const inPlace = { minBytes: 64 * 1024, splitByPriority: false };
  const { wal, closed } = makeWal(folder, head, clock, {
    random: seededBytes(2025 + version),
    options: version === 2 ? { inPlace } : {},
    keys: version === 3 ? testWalKeys : [],
  });
  const [latched, ...rest] = goldenBatches() as [Batch, ...Batch[]];
  // The first segment only makes the second one carry what was latched.
  await wal.commit(latched);
  await wal.roll();
  wal.noteClockStep({ at: String(start), stepNs: '-1500000000' });
  for (const batch of rest) await wal.commit(batch);
  await wal.close();
  return closed[1]!.directory;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = await realFs.mkdtemp('/tmp/holdfast-golden-');
  const directory = await writeGoldenSegment(root, Number(process.argv[2] ?? 1) as GoldenVersion);
  const target = join(goldenFolder, directory.split('/').at(-1) as string);
  await realFs.mkdir(target, { recursive: true });
  for (const name of await realFs.readdir(directory)) {
    if (/^\d+\.log$|^blob$|^key$|^object-/.test(name))
      await realFs.copyFile(join(directory, name), join(target, name));
  }
  await realFs.rm(root, { recursive: true });
  console.log(target);
}
