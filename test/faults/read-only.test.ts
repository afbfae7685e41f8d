import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { account, assertAllAccounted } from './accounting.js';
import { RecordingRig } from './recording-rig.js';
import { coverReadOnly, mountExt4, mountRefusal } from './small-disk.js';
import { lacking } from '../../src/testing/lacking.js';

describe('a disk that becomes read-only', function () {
  this.timeout(60_000);

  for (const folder of ['wal', 'sealed'] as const) {
    it(`in ${folder}/, in mid-recording, and back: nothing is lost, all is counted, and it continues by itself`, async function () {
      const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-ro-'));
      let uncover: (() => Promise<void>) | undefined;
      try {
        const rig = await RecordingRig.open(root, { segmentMaxBytes: 256 * 1024 });
        await rig.sendUntil(() => rig.retention.index.segments > 0);
        uncover = await coverReadOnly(rig.folder[folder]);
        if (!uncover) {
          await rig.close();
          lacking(this, 'mount', mountRefusal());
        }
        if (folder === 'wal') await rig.sendUntil(() => rig.stalls.length > 0);
        else await rig.sendUntil(() => rig.sealer.lastError !== undefined);
        for (let i = 0; i < 50; i++) rig.send(16 * 1024);
        await uncover();
        uncover = undefined;
        const before = rig.acknowledged.size;
        await rig.sendUntil(() => rig.acknowledged.size > before + 60);
        await rig.close();
        assert.deepEqual([...new Set(rig.stalls)], folder === 'wal' ? ['commit_failed'] : []);
        await assertAllAccounted(rig);
      } finally {
        await uncover?.();
        await fs.rm(root, { recursive: true, force: true });
      }
    });
  }

  it('for good, after an I/O error: recording stops with its reason, and all that was durable is there after a restart', async function () {
    const disk = await mountExt4(24 * 1024 * 1024);
    if (!disk) lacking(this, 'mount', mountRefusal());
    try {
      const rig = await RecordingRig.open(disk.path);
      await rig.sendUntil(() => rig.acknowledged.size > 60);
      await disk.failReadOnly();
      await rig.sendUntil(() => rig.stalls.length > 1);
      await rig.close();
      assert.deepEqual([...new Set(rig.stalls)], ['commit_failed']);
      await disk.remount();
      const again = await RecordingRig.open(disk.path);
      await again.close();
      const { stored } = await account(again.folder);
      const lost = [...rig.acknowledged].filter((number) => stored.get(number) !== 1);
      assert.deepEqual(lost, []);
    } finally {
      await disk.remove();
    }
  });
});
