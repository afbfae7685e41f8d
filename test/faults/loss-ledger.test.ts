import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QueuePolicy } from '../../src/core/message.js';
import { Random } from '../../src/core/random.js';
import { sleep } from '../../src/testing/waiting.js';
import type { Durability } from '../../src/wal/durability.js';
import { account } from './accounting.js';
import { RecordingRig } from './recording-rig.js';
import { RefusingFs, type Refusal } from './refusing-fs.js';
import { RefusingLevel, type LevelRefusal } from './refusing-level.js';

/** What a full disk refuses during one phase of a run. */
interface Fault {
  readonly files?: Omit<Refusal, 'code'>;
  readonly level?: LevelRefusal;
}

const payloads: Fault = { files: { operation: 'writev', path: /wal\// } };
const everything: Fault = {
  files: { operation: new Set(['mkdir', 'write', 'writev', 'writeFile']), path: /./ },
  level: 'unwritten',
};
const faults: readonly Fault[] = [
  payloads,
  everything,
  { level: 'unwritten' },
  { level: 'unsynced' },
  { files: { operation: 'datasync', path: /wal\// } },
  { files: { operation: 'sync', path: /wal\/[^/]+$/ } },
  { files: { operation: 'open', path: /wal\/[^/]+\/[^/]+$/ } },
  { files: { operation: 'writeFile', path: /head\.json/ } },
  { files: { operation: 'rename', path: /head\.json/ } },
  { files: { operation: 'write', path: /sealed\/.*mcap\.tmp$/ } },
  { files: { operation: 'writeFile', path: /sealed\/.*json\.tmp$/ } },
  { files: { operation: 'rename', path: /wal\/[^/]+$/ } },
];
const endings = { 'has space again': undefined, 'refuses payloads': payloads, 'refuses all': everything };
const policies: readonly QueuePolicy[] = ['drop-oldest', 'drop-newest', 'block'];
const stayFull = ['stop', 'drop-oldest', 'drop-lowest'] as const;
const durabilities: readonly Durability[] = ['commit', 'interval', 'os'];

const SEEDS_PER_ENDING = 8;
const PHASES = 12;
const TOPICS = ['/high', '/normal', '/low'];

describe('a disk that is full at random moments', function () {
  this.timeout(60_000);
  let root: string;
  let level: RefusingLevel;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-ledger-'));
    level = new RefusingLevel();
  });
  afterEach(async () => {
    level[Symbol.dispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  for (const [ending, last] of Object.entries(endings)) {
    for (let seed = 1; seed <= SEEDS_PER_ENDING; seed++) {
      it(`and ${ending} at the end leaves every message in a file or in a gap (seed ${seed})`, async () => {
        const random = new Random(seed);
        const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random.unit() * list.length)] as T;
        const disk = new RefusingFs();
        const refuse = (fault: Fault | undefined): void => {
          disk.refusal = fault?.files && { ...fault.files, code: 'ENOSPC' };
          level.refusal = fault?.level;
        };
        const rig = await RecordingRig.open(root, {
          fs: disk.fs,
          segmentMaxBytes: 256 * 1024,
          policy: oneOf(policies),
          whenFull: oneOf(stayFull),
          durability: oneOf(durabilities),
          closePatienceMs: last === undefined ? 20_000 : 100,
        });
        for (let phase = 0; phase < PHASES; phase++) {
          refuse(random.unit() < 0.5 ? oneOf(faults) : undefined);
          for (let sent = random.between(1, 40); sent > 0; sent--) {
            rig.send(Math.floor(random.between(8, 40_000)));
            if (random.unit() < 0.2) await sleep(random.between(0, 10));
          }
        }
        refuse(last);
        await rig.close();
        refuse(undefined);
        await (await RecordingRig.open(root, { whenFull: 'stop' })).close();
        if (last !== everything) assert.equal(rig.unwritten, 0, 'the gaps need no room for payloads');
        await assertNoHole(rig);
      });
    }
  }
});

/** The numbers of each topic are in files or in the bounds of counted gaps, or reported as missing from both. */
async function assertNoHole(rig: RecordingRig): Promise<void> {
  assert.deepEqual(await fs.readdir(rig.folder.wal), [], 'segments wait to be sealed');
  const { stored, gapList } = await account(rig.folder);
  assert.deepEqual(
    [...stored.values()].filter((times) => times !== 1),
    [],
    'stored twice',
  );
  const notStored = [...rig.acknowledged].filter((number) => !stored.has(number));
  assert.deepEqual(notStored, [], 'acknowledged and not stored');
  let uncounted = 0;
  TOPICS.forEach((topic, index) => {
    const gaps = gapList.filter((gap) => gap.topic === topic);
    const missing: number[] = [];
    for (let number = index; number < rig.sent; number += TOPICS.length) {
      if (!stored.has(number)) missing.push(Math.floor(number / TOPICS.length) + 1);
    }
    const counted = gaps.reduce((sum, { count = NaN }) => sum + count, 0);
    assert.ok(counted <= missing.length, `${topic}: gaps count ${counted}, missing are ${missing.length}`);
    uncounted += missing.length - counted;
    const outside = missing.filter(
      (sequence) =>
        !gaps.some(
          ({ firstSourceSequence: first = Infinity, lastSourceSequence: last = 0 }) =>
            first <= sequence && sequence <= last,
        ),
    );
    assert.ok(outside.length <= rig.unwritten, `${topic}: in no gap: ${outside.join(' ')}`);
  });
  // A segment that was given up may have the only copy of messages that were reported as missing.
  assert.ok(uncounted <= rig.unwritten, `${uncounted} are in no gap, reported: ${rig.unwritten}`);
}
