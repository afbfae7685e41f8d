import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import { HoldfastError } from '../../src/core/errors.js';
import { MemoryStore, MemoryStoreContent, type FaultScript } from '../support/memory-store.js';
import { DyingProcess, noLock } from './crash-disk.js';
import { KIB, SyncWorld } from './sync-world.js';
import { Random } from '../../src/core/random.js';

const passing: readonly ErrorCode[] = ['STORE_OFFLINE', 'STORE_BUSY', 'STORE_FULL', 'STORE_ACCESS_DENIED'];

/** Faults of every kind at random moments, before or after the effect. */
function randomFaults(random: () => number, content: MemoryStoreContent, share: number): FaultScript {
  return (call, phase) => {
    if (random() > share) return;
    const code = passing[Math.floor(random() * passing.length)] ?? 'STORE_BUSY';
    const odd = random();
    if (odd < 0.1 && call.method === 'completeUpload' && phase === 'before') {
      throw new HoldfastError('OBJECT_CONFLICT', 'random');
    }
    if (odd < 0.2 && call.method === 'uploadPart' && phase === 'before') content.uploads.clear();
    else if (odd < 0.3 && call.method === 'listParts') content.uploads.values().next().value?.parts.delete(1);
    else throw new HoldfastError(code, 'random');
  };
}

describe('sync under random faults, kills and deletions', () => {
  const seeds = Number(process.env['HOLDFAST_SYNC_SEEDS'] ?? 15);
  for (let seed = 1; seed <= seeds; seed++) {
    it(`seed ${seed}: once the faults stop, everything is in the store exactly once`, async () => {
      const generator = new Random(seed);
      const random = (): number => generator.unit();
      await using world = await SyncWorld.create();
      const content = new MemoryStoreContent();
      const progress = new Map<string, string>();
      const live = async (life: DyingProcess, faults: FaultScript | undefined): Promise<boolean> => {
        const store = new MemoryStore({
          content,
          faults: async (call, phase) => {
            await life.faults(call, phase);
            await faults?.(call, phase);
          },
        });
        const options = { partsPerUpload: 1 + Math.floor(random() * 3), attemptsPerTurn: 2 };
        const ports = { fs: life.fs, clock: life.clock, openProgress: life.progress(progress) };
        const done = world.drain(store, { ...ports, acquireLock: noLock, options }, life.signal);
        return (await life.outcomeOf(done))?.complete === true;
      };
      const lives = 2 + Math.floor(random() * 5);
      for (let n = 0; n < lives; n++) {
        const segments = Math.floor(random() * 3);
        for (let s = 0; s < segments; s++) await world.seal(Math.floor(random() * 20 * KIB));
        await live(new DyingProcess(Math.floor(random() * 150)), randomFaults(random, content, 0.15));
        if (random() < 0.2) progress.clear();
        if (random() < 0.1)
          await fs.rm(join(world.folder.root, 'receipts'), { recursive: true, force: true });
      }
      assert.ok(await live(new DyingProcess(), undefined), `seed ${seed} drained`);
      // Uploads whose creation was never answered are the sweep's; nothing else may be left.
      content.uploads.clear();
      await world.assertStoredOnce(content);
    });
  }
});
