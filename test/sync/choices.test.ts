import assert from 'node:assert/strict';
import { HoldfastError } from '../../src/core/errors.js';
import { runCli } from '../support/cli.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld } from './sync-world.js';

describe('the choices of sync', function () {
  this.timeout(30_000);
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('sends the chosen segments only, and leaves the others waiting for the next time', async () => {
    const segments = [await world.seal(KIB), await world.seal(KIB), await world.seal(KIB)];
    const store = new MemoryStore();
    const chosen = segments[1]!;
    const { complete, segments: counts } = await world.drain(store, { only: new Set([chosen.name]) });
    assert.deepEqual([complete, counts], [true, { verified: 1, parked: 0, pending: 0 }]);
    const others = segments.filter((one) => one !== chosen);
    await world.assertStoredOnce(store.content, others);
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('takes --only by name and by id, ends by itself, and refuses unknown segments', async () => {
    const [first, second] = [await world.seal(KIB), await world.seal(KIB)];
    const to = `${world.folder.root}/store`;
    const args = ['sync', '--data', world.folder.root, '--store', `dir:${to}`, '--json'];
    const wrong = await runCli([...args, '--only', 'nothing']);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /nothing.*allowed: the name or the id of a segment in sealed/s);
    const { exitCode, json } = await runCli([...args, '--only', first.manifest.segment.id]);
    assert.equal(exitCode, 0);
    assert.deepEqual(json?.['segments'], {
      pending: 0,
      verified: 1,
      parked: 0,
      lost: 0,
      retrying: 0,
      held: 0,
    });
    const named = await runCli([...args, '--only', `${second.name}.mcap`]);
    assert.deepEqual(named.json?.['segments'], {
      pending: 0,
      verified: 2,
      parked: 0,
      lost: 0,
      retrying: 0,
      held: 0,
    });
  });

  it('parks a segment after the bound of retries, with an alarm that names it', async () => {
    await world.seal(KIB);
    const refuse = (): never => {
      throw new HoldfastError('STORE_BUSY', 'the test says no');
    };
    let puts = 0;
    const faults = ({ method, key }: { method: string; key: string }, phase: string): void => {
      if (method === 'put' && key.endsWith('.mcap') && phase === 'before') {
        puts++;
        refuse();
      }
    };
    const store = new MemoryStore({ faults });
    const { complete, alarms } = await world.drain(store, { options: { maxRetries: 2, attemptsPerTurn: 2 } });
    assert.equal(complete, true);
    assert.equal(puts, 3 * 2);
    assert.match(alarms[0]!.message, /given up after 2 retries \(upload.max_retries\): .*the test says no/);
    assert.equal(alarms[0]!.code, 'STORE_BUSY');
  });

  it('counts synced segments over restarts and evictions, and measures how fast the store answers', async () => {
    const segments = [await world.seal(KIB), await world.seal(KIB)];
    const store = new MemoryStore();
    await world.drain(store);
    await world.evict(segments[0]!);
    await world.seal(KIB);
    const engine = await world.open(store);
    try {
      await engine.drain(AbortSignal.timeout(10_000));
      const { segmentsSynced, segments: counts, storeLatencyMs } = engine.status();
      assert.deepEqual([segmentsSynced, counts.verified], [3, 2]);
      assert.ok(storeLatencyMs !== undefined && storeLatencyMs >= 0);
    } finally {
      await engine.close();
    }
  });
});
