import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest } from '../../src/core/manifest.js';
import { Retention } from '../../src/seal/retention.js';
import { defaults, idOf, TestDisk } from './retention-support.js';

const SEGMENTS = 8;
const none: ReadonlySet<string> = new Set();
const changing = new Set(['rename', 'unlink', 'rm', 'open', 'mkdir', 'truncate']);

/** Every segment is here whole, or gone with a receipt or exactly one tombstone. */
async function assertAccounted(disk: TestDisk): Promise<{ here: number; told: number }> {
  const sealed = await disk.sealed();
  const tombstones = (await disk.tombstones()).filter((file) => file.endsWith('.json'));
  const receipts = await fs.readdir(disk.folder.receipts);
  let here = 0;
  let told = 0;
  for (let number = 1; number <= SEGMENTS; number++) {
    const of = (files: string[]): string[] => files.filter((file) => file.startsWith(idOf(number)));
    const files = of(sealed);
    if (files.length > 0) {
      assert.deepEqual(files, [`${idOf(number)}.r1.json`, `${idOf(number)}.r1.mcap`]);
      assert.deepEqual(of(tombstones), [], 'here, and evicted too');
      here++;
    } else if (of(receipts).length === 0) {
      assert.equal(of(tombstones).length, 1, `segment ${number} is gone without a trace`);
      const text = await fs.readFile(join(disk.folder.tombstones, of(tombstones)[0] as string), 'utf8');
      const tombstone = decodeManifest(text, 'tombstone');
      assert.equal(tombstone.gaps.filter(({ reason }) => reason === 'evicted').length, 1);
      told++;
    }
  }
  assert.equal(sealed.length, 2 * here, `unknown files in ${sealed.join(', ')}`);
  return { here, told };
}

/** What a reader may meet while, or after, the recorder was killed. */
async function assertNothingLooksLost(disk: TestDisk): Promise<void> {
  const sealed = await disk.sealed();
  for (const file of sealed) {
    if (!file.endsWith('.json')) continue;
    assert.ok(sealed.includes(file.replace(/json$/, 'mcap')), `${file} has no MCAP`);
  }
  for (const file of sealed) {
    if (!file.endsWith('.mcap')) continue;
    const base = file.replace(/\.mcap$/, '');
    const known = sealed.includes(`${base}.json`) || sealed.includes(`${base}.evicted`);
    assert.ok(known, `${file} has neither manifest nor marker`);
  }
}

async function fill(): Promise<TestDisk> {
  const disk = await TestDisk.create(1_000_000);
  for (let number = 1; number <= SEGMENTS; number++) {
    const manifest = await disk.seal(number);
    if (number % 3 === 0) await disk.verify(manifest);
  }
  return disk;
}

describe('retention killed before any operation that changes the disk', () => {
  // Two of the three evicted under the first limits are verified, three under the second are not.
  for (const { name, minFreeBytes } of [
    { name: 'while it evicts verified segments', minFreeBytes: 350_000 },
    { name: 'while it evicts verified and other segments', minFreeBytes: 620_000 },
  ]) {
    const options = { ...defaults, minFreeBytes, minFreePercent: 90, whenFull: 'drop-oldest' as const };

    it(`${name}: leaves nothing that looks lost, and the next start finishes it`, async () => {
      const crashPoints = await countChanges(options);
      assert.ok(crashPoints > 5, `${crashPoints} operations`);
      for (let crashAt = 1; crashAt <= crashPoints; crashAt++) {
        const disk = await fill();
        try {
          await crashDuring(disk, options, crashAt);
          await assertNothingLooksLost(disk);
          // Killed once more while finishing.
          await crashDuring(disk, options, 2);
          await assertNothingLooksLost(disk);
          const retention = await Retention.open(disk.folder, options, disk.ports());
          const state = await retention.tick(none);
          assert.equal(state.full, false);
          const { here, told } = await assertAccounted(disk);
          assert.ok(
            here >= SEGMENTS - 6 && here <= SEGMENTS - 2,
            `crash ${crashAt}: ${here} left, ${told} told`,
          );
          assert.equal(retention.index.segments, here);
        } finally {
          await disk.remove();
        }
      }
    });
  }

  async function countChanges(options: typeof defaults): Promise<number> {
    const disk = await fill();
    let changes = 0;
    disk.before = (operation) => {
      if (changing.has(operation)) changes++;
    };
    await (await Retention.open(disk.folder, options, disk.ports())).tick(none);
    await disk.remove();
    return changes;
  }

  async function crashDuring(disk: TestDisk, options: typeof defaults, crashAt: number): Promise<void> {
    let changes = 0;
    let dead = false;
    disk.before = (operation) => {
      if (changing.has(operation) && ++changes === crashAt) dead = true;
      if (dead) throw new Error('killed');
    };
    try {
      const retention = await Retention.open(disk.folder, options, disk.ports());
      await retention.tick(none);
    } catch (error) {
      assert.match(String(error), /killed/);
    }
    disk.before = () => undefined;
  }
});

describe('retention under a power cut', () => {
  it('makes each step durable before the next: decision, file, tombstone, end', async () => {
    const disk = await fill();
    try {
      const steps: string[] = [];
      disk.before = (operation, path) => {
        if (operation === 'readdir' || operation === 'readFile') return;
        if (path.includes(idOf(1))) steps.push(`${operation} ${path.slice(path.lastIndexOf('.') + 1)}`);
        else if (operation === 'open' && path === disk.folder.sealed) steps.push('sync sealed');
        else if (operation === 'open' && path === disk.folder.tombstones) steps.push('sync tombstones');
      };
      const options = { ...defaults, minFreeBytes: 150_000, whenFull: 'drop-oldest' as const };
      disk.capacity = 900_000;
      for (const file of await fs.readdir(disk.folder.receipts))
        await fs.rm(join(disk.folder.receipts, file));
      await (await Retention.open(disk.folder, options, disk.ports())).tick(none);
      assert.deepEqual(steps, [
        'rename json',
        'sync sealed',
        'rm mcap',
        'open tmp',
        'rename tmp',
        'sync tombstones',
        'sync sealed',
        'rm evicted',
        // The data key with which sync encrypted it, if it did.
        'rm json',
      ]);
    } finally {
      await disk.remove();
    }
  });
});
