import assert from 'node:assert/strict';
import { HoldfastError } from '../../src/core/errors.js';
import type { SyncEvent } from '../../src/core/events.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld } from './sync-world.js';

describe('the events of sync', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function drain(store: MemoryStore): Promise<SyncEvent[]> {
    const events: SyncEvent[] = [];
    const engine = await world.open(store);
    engine.onEvent(() => {
      throw new Error('no');
    });
    engine.onEvent((event) => events.push(event));
    try {
      await engine.drain(AbortSignal.timeout(10_000));
    } finally {
      await engine.close();
    }
    return events;
  }

  it('reports the link, then of each segment once it is verified', async () => {
    const small = await world.seal(100);
    const large = await world.seal(10 * KIB);
    const events = await drain(new MemoryStore());
    assert.deepEqual(events[0]?.kind === 'link' && events[0].link, 'online');
    const synced = events.filter((event) => event.kind === 'segment-synced');
    assert.deepEqual(
      synced
        .map(({ segment, robot, key, bytes, messages, resumed }) => ({
          segment,
          robot,
          key,
          bytes,
          messages,
          resumed,
        }))
        .sort((a, b) => (a.segment < b.segment ? -1 : 1)),
      [small, large].map(({ name, manifest }) => ({
        segment: name,
        robot: manifest.robot,
        key: manifest.key,
        bytes: manifest.file.bytes,
        messages: manifest.messages,
        resumed: false,
      })),
    );
    assert.ok(synced.every(({ durationMs }) => durationMs > 0));
  });

  it('reports a segment the store refuses for good, and of a dead link with its reason', async () => {
    await world.seal(100);
    let calls = 0;
    class Refusing extends MemoryStore {
      override put(): Promise<never> {
        const refusal =
          calls++ === 0
            ? new HoldfastError('STORE_OFFLINE', 'the cable is out')
            : new HoldfastError('STORE_REJECTED', 'never');
        return Promise.reject(refusal);
      }
    }
    const events = await drain(new Refusing());
    const offline = events.find((event) => event.kind === 'link' && event.link === 'offline');
    assert.ok(offline?.kind === 'link' && offline.reason?.includes('the cable is out'));
    const parked = events.filter((event) => event.kind === 'segment-parked');
    assert.deepEqual(
      parked.map(({ code, robot }) => [code, robot]),
      [['STORE_REJECTED', 'r1']],
    );
  });

  it('reports each change of the status to several listeners', async () => {
    await world.seal(100);
    const engine = await world.open(new MemoryStore());
    const told = [0, 0];
    engine.onStatusChange(() => told[0]!++);
    engine.onStatusChange(() => told[1]!++);
    await engine.drain(AbortSignal.timeout(10_000));
    await engine.close();
    assert.ok(told[0]! > 0);
    assert.equal(told[0], told[1]);
  });
});
