import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import { decodeManifest, type Manifest } from '../../src/core/manifest.js';
import { assertAllAccounted, uploadAll } from './accounting.js';
import { RecordingRig } from './recording-rig.js';
import { mountExt4, mountRefusal, mountTmpfs, type SmallDisk } from './small-disk.js';
import { lacking } from '../../src/testing/lacking.js';
import { perhaps } from '../support/perhaps.js';

const MIB = 1024 * 1024;

/** In the order in which they were evicted. */
async function tombstones(folder: DataFolder): Promise<Manifest[]> {
  const manifests = await Promise.all(
    (await fs.readdir(folder.tombstones)).map(async (name) =>
      decodeManifest(await fs.readFile(join(folder.tombstones, name), 'utf8'), name),
    ),
  );
  return manifests.sort((a, b) => Number(a.evicted?.at) - Number(b.evicted?.at));
}

for (const { kind, mount } of [
  { kind: 'tmpfs', mount: () => mountTmpfs(12 * MIB) },
  { kind: 'ext4', mount: () => mountExt4(16 * MIB) },
]) {
  describe(`a full disk (${kind})`, function () {
    this.timeout(120_000);
    let disk: SmallDisk;
    let store: string;

    beforeEach(async function () {
      const mounted = await mount();
      if (!mounted) lacking(this, 'mount', mountRefusal());
      disk = mounted;
      store = await fs.mkdtemp(join(tmpdir(), 'holdfast-store-'));
    });
    afterEach(async () => {
      await perhaps(disk)?.remove();
      if (store) await fs.rm(store, { recursive: true, force: true });
    });

    it('stops recording under stop, counts lost messages, and resumes when segments are uploaded', async () => {
      const rig = await RecordingRig.open(disk.path, { whenFull: 'stop', minFreeBytes: 2 * MIB });
      await rig.sendUntil(() => !rig.retention.state.admits);
      for (let i = 0; i < 100; i++) rig.send(16 * 1024);
      await uploadAll(rig.folder, store);
      const before = rig.acknowledged.size;
      await rig.sendUntil(() => rig.acknowledged.size > before + 100);
      assert.ok(rig.retention.state.evictedSegments > 0);
      assert.equal(rig.retention.state.droppedSegments, 0);
      await rig.close();
      const { gaps, evicted } = await assertAllAccounted(rig, store);
      assert.ok((gaps['disk_full'] ?? 0) > 50, JSON.stringify(gaps));
      assert.equal(evicted, 0);
    });

    it('hits the very end of the disk, and resumes by itself when somebody frees space', async () => {
      const rig = await RecordingRig.open(disk.path, { whenFull: 'stop' });
      await rig.sendUntil(() => rig.acknowledged.size > 20);
      await disk.fill();
      // A commit may find it full, or a seal before it: then commits wait, and none fails.
      await rig.sendUntil(() => rig.stalls.length > 0 || rig.retention.state.full);
      const others = rig.stalls.filter((reason) => reason !== 'disk_full');
      assert.deepEqual(others, [], 'a full disk is no other failure');
      for (let i = 0; i < 100; i++) rig.send(16 * 1024);
      await disk.unfill();
      const before = rig.acknowledged.size;
      await rig.sendUntil(() => rig.acknowledged.size > before + 50);
      await rig.close();
      const { gaps } = await assertAllAccounted(rig);
      assert.ok((gaps['disk_full'] ?? 0) > 50, JSON.stringify(gaps));
    });

    it('uses the space of the ballast to seal the messages recorded before the disk was full', async () => {
      const rig = await RecordingRig.open(disk.path, { whenFull: 'stop', ballastBytes: 3 * MIB });
      await rig.sendUntil(() => rig.retention.ballastBytes === 3 * MIB);
      await disk.fill(MIB);
      await rig.sendUntil(() => rig.retention.ballastBytes === 0);
      await rig.sendUntil(() => !rig.retention.state.admits);
      await rig.close();
      assert.deepEqual(await fs.readdir(rig.folder.wal), [], 'nothing waits to be sealed');
      await assertAllAccounted(rig);
    });

    for (const whenFull of ['drop-oldest', 'drop-lowest'] as const) {
      it(`keeps recording under ${whenFull}, and reports every evicted message`, async () => {
        const rig = await RecordingRig.open(disk.path, { whenFull, minFreeBytes: 3 * MIB });
        await rig.sendUntil(() => rig.retention.state.droppedSegments > 8);
        await rig.close();
        const { evicted, stored } = await assertAllAccounted(rig);
        assert.equal(evicted, rig.retention.state.droppedMessages);
        assert.ok(stored.size > 0);
        if (whenFull === 'drop-lowest') {
          const first = (await tombstones(rig.folder)).slice(0, 3);
          assert.deepEqual(
            first.map(({ segment }) => segment.priority),
            ['low', 'low', 'low'],
          );
        }
      });

      it(`under ${whenFull} without a floor, runs into the end of the disk and on`, async () => {
        const rig = await RecordingRig.open(disk.path, { whenFull });
        await rig.sendUntil(() => rig.retention.state.droppedSegments > 3);
        await rig.close();
        // What could not be sealed for lack of space is sealed by the next start.
        await (await RecordingRig.open(disk.path, { whenFull, minFreeBytes: 2 * MIB })).close();
        await assertAllAccounted(rig);
      });
    }

    for (const whenFull of ['stop', 'drop-oldest', 'drop-lowest'] as const) {
      it(`accounts under ${whenFull} for the messages that the disk refuses until the end`, async () => {
        const rig = await RecordingRig.open(disk.path, { whenFull, closePatienceMs: 0 });
        await rig.sendUntil(() => rig.acknowledged.size > 20);
        await disk.fill();
        await rig.sendUntil(() => rig.stalls.length > 0 || rig.retention.state.full);
        for (let i = 0; i < 40; i++) rig.send(16 * 1024);
        await rig.close();
        await disk.unfill();
        await (await RecordingRig.open(disk.path, { whenFull: 'stop' })).close();
        await assertAllAccounted(rig);
      });
    }

    it('starts on a full disk if a ballast or a verified segment makes room, and otherwise reports that the disk is full', async () => {
      const first = await RecordingRig.open(disk.path, { ballastBytes: 2 * MIB });
      await first.sendUntil(() => first.retention.ballastBytes > 0 && first.retention.index.segments > 3);
      await first.close();
      await disk.fill();
      const second = await RecordingRig.open(disk.path, { whenFull: 'stop' });
      await second.sendUntil(() => second.acknowledged.size > 10);
      await second.close();
      await disk.fill();
      await assert.rejects(RecordingRig.open(disk.path, { whenFull: 'stop' }), { code: 'ENOSPC' });
      await disk.unfill();
      await uploadAll(second.folder, store);
      await disk.fill();
      const third = await RecordingRig.open(disk.path, { whenFull: 'stop' });
      await third.sendUntil(() => third.acknowledged.size > 10);
      await third.close();
    });
  });
}
