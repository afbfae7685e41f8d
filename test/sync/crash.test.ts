import assert from 'node:assert/strict';
import { MemoryStore, MemoryStoreContent } from '../support/memory-store.js';
import { DyingProcess, noLock } from './crash-disk.js';
import { KIB, SyncWorld } from './sync-world.js';

const PART = 4 * KIB;

/** Runs sync until it dies or is done; true when it was done. */
async function live(
  world: SyncWorld,
  content: MemoryStoreContent,
  progress: Map<string, string>,
  life: DyingProcess,
): Promise<boolean> {
  const store = new MemoryStore({ content, faults: life.faults });
  const ports = {
    fs: life.fs,
    clock: life.clock,
    openProgress: life.progress(progress),
    acquireLock: noLock,
  };
  return (await life.outcomeOf(world.drain(store, ports, life.signal))) !== undefined;
}

describe('sync killed at every step', () => {
  for (const [title, sizes, partsPerKill] of [
    ['of a segment sent in one call', [3 * KIB], 1],
    ['of a segment sent in parts', [14 * KIB], 1],
    ['of three segments at once', [9 * KIB, 2 * KIB, 10 * KIB], 3],
  ] as const) {
    it(`${title}: is continued, and at most one part per upload in flight is sent again`, async () => {
      const steps = await countSteps(sizes);
      assert.ok(steps.length > 10);
      for (let at = 0; at < steps.length; at++) {
        await using world = await SyncWorld.create();
        for (const bytes of sizes) await world.seal(bytes);
        const content = new MemoryStoreContent();
        const progress = new Map<string, string>();
        const where = `killed at step ${at} of ${steps.length}, ${steps[at]}`;
        await live(world, content, progress, new DyingProcess(at));
        assert.ok(await live(world, content, progress, new DyingProcess()), where);
        try {
          await world.assertStoredOnce(content);
        } catch (error) {
          throw new Error(where, { cause: error });
        }
        const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
        const resent = content.receivedBytes - total;
        assert.ok(resent <= partsPerKill * PART, `${where}: ${resent} bytes were sent again`);
      }
    });
  }

  it('comes through a kill at every second step, over and over', async () => {
    await using world = await SyncWorld.create();
    for (const bytes of [14 * KIB, 3 * KIB]) await world.seal(bytes);
    const content = new MemoryStoreContent();
    const progress = new Map<string, string>();
    let lives = 0;
    for (let allowed = 1; ; allowed += 2) {
      lives++;
      if (await live(world, content, progress, new DyingProcess(allowed))) break;
    }
    assert.ok(lives > 5, `it died ${lives} times`);
    await world.assertStoredOnce(content);
  });
});

async function countSteps(sizes: readonly number[]): Promise<string[]> {
  await using world = await SyncWorld.create();
  for (const bytes of sizes) await world.seal(bytes);
  const life = new DyingProcess();
  assert.ok(await live(world, new MemoryStoreContent(), new Map(), life));
  return life.steps;
}
