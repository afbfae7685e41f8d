import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertAllAccounted } from './accounting.js';
import { RecordingRig } from './recording-rig.js';
import { RefusingFs, type Refusal } from './refusing-fs.js';

interface Phase extends Omit<Refusal, 'code'> {
  readonly name: string;
  /** Commits stand still meanwhile; otherwise only sealing does. */
  readonly stalls: boolean;
  readonly alsoReadOnly?: boolean;
}

const phases: readonly Phase[] = [
  {
    name: 'creating a segment',
    operation: 'open',
    path: /wal\/[^/]+\/[^/]+$/,
    stalls: true,
    alsoReadOnly: true,
  },
  { name: 'making a segment durable', operation: 'sync', path: /wal\/[^/]+$/, stalls: true },
  { name: 'writing payloads', operation: 'writev', path: /wal\//, stalls: true, alsoReadOnly: true },
  { name: 'syncing payloads', operation: 'datasync', path: /wal\//, stalls: true },
  { name: 'writing head.json', operation: 'writeFile', path: /head\.json/, stalls: false },
  { name: 'renaming head.json', operation: 'rename', path: /head\.json/, stalls: false },
  {
    name: 'writing an object',
    operation: 'write',
    path: /sealed\/.*mcap\.tmp$/,
    stalls: false,
    alsoReadOnly: true,
  },
  { name: 'syncing an object', operation: 'sync', path: /sealed\/.*mcap\.tmp$/, stalls: false },
  { name: 'renaming an object', operation: 'rename', path: /sealed\/.*mcap\.tmp$/, stalls: false },
  { name: 'writing a manifest', operation: 'writeFile', path: /sealed\/.*json\.tmp$/, stalls: false },
  { name: 'removing a sealed WAL segment', operation: 'rename', path: /wal\/[^/]+$/, stalls: false },
];

describe('a disk that refuses', function () {
  this.timeout(60_000);
  let root: string;
  beforeEach(async () => (root = await fs.mkdtemp(join(tmpdir(), 'holdfast-refused-'))));
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  for (const { name, operation, path, stalls, alsoReadOnly } of phases) {
    for (const code of alsoReadOnly ? ['ENOSPC', 'EROFS'] : ['ENOSPC']) {
      it(`${name} with ${code}: nothing is lost, all is counted, and it continues by itself`, async () => {
        const disk = new RefusingFs();
        const rig = await RecordingRig.open(root, { fs: disk.fs, segmentMaxBytes: 256 * 1024 });
        await rig.sendUntil(() => rig.retention.index.segments > 0);
        disk.refusal = { operation, path, code };
        const at = disk.refused;
        await rig.sendUntil(() => disk.refused > at + (stalls ? 1 : 0), 60_000);
        if (stalls) await rig.sendUntil(() => rig.stalls.length > 0);
        disk.refusal = undefined;
        const before = rig.acknowledged.size;
        await rig.sendUntil(() => rig.acknowledged.size > before + 60, 60_000);
        await rig.close();
        const reason = code === 'ENOSPC' ? 'disk_full' : 'commit_failed';
        assert.deepEqual([...new Set(rig.stalls)], stalls ? [reason] : []);
        await assertAllAccounted(rig);
      });
    }
  }
});
