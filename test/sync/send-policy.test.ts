import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { writeEvent } from '../../src/core/event-files.js';
import { HoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import { parseAlternative, type Alternative } from '../../src/core/send-policy/condition.js';
import { unknownNetwork, type NetworkFacts } from '../../src/core/send-policy/facts.js';
import type { SendPolicyStatus } from '../../src/core/status.js';
import { SPENT_FILE } from '../../src/sync/spend-ledger.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import type { SyncPorts } from '../../src/sync/sync-ports.js';
import { eventually } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SetClock, SyncWorld } from './sync-world.js';

const when = (...texts: string[]): Alternative[] => texts.map((text) => present(parseAlternative(text)));
const NOON = BigInt(Date.parse('2026-12-01T12:00:00Z')) * 1_000_000n;

describe('the send policy', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  let clock: SetClock;
  let engine: SyncEngine | undefined;
  let network: NetworkFacts;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    clock = new SetClock(NOON);
    network = { ...unknownNetwork('not set'), interface: { value: 'wwan0' } };
  });
  afterEach(async () => {
    await engine?.close();
    engine = undefined;
    await world[Symbol.asyncDispose]();
  });

  async function run(options: Partial<SyncOptions>, more: Partial<SyncPorts> = {}): Promise<SyncEngine> {
    const all = { conditionPollMs: 5, timeZone: 'UTC', partsInFlight: 1, ...options };
    const source = { read: () => Promise.resolve(network) };
    engine = await world.open(store, { clock, network: source, ...more, options: all });
    void engine.run(new AbortController().signal);
    return engine;
  }
  const policy = (): SendPolicyStatus => present(engine?.status().sendPolicy);
  const verified = (): number | undefined => engine?.status().segments.verified;
  const waits = (words: RegExp): Promise<unknown> =>
    eventually(
      () => words.test(engine?.status().sendPolicy?.reason ?? '') && !engine?.status().isSyncing,
      String(words),
    );

  it('keeps segments waiting until a condition is met, and says which and how much', async () => {
    for (let n = 0; n < 3; n++) await world.seal(2 * KIB);
    await run({ when: when('interface=eth*', 'metered=no') });
    await waits(/^interface=eth\* \(the default route is wwan0\), or metered=no \(unknown: not set\)$/);
    await eventually(() => policy().waiting.segments === 3, 'three wait');
    const cost = { objects: 6, requests: 27 };
    assert.deepEqual([policy().isOpen, policy().waiting], [false, { segments: 3, bytes: 6 * KIB, ...cost }]);
    assert.deepEqual([engine?.status().segments.pending, store.content.objects.size], [3, 0]);
    network = { ...network, interface: { value: 'eth0' } };
    await eventually(() => verified() === 3, 'sent with the cable');
    assert.deepEqual([policy().isOpen, policy().waiting.segments, policy().spentBytes], [true, 0, 6 * KIB]);
    await world.assertStoredOnce(store.content);
  });

  it('ends the day for a part that does not fit, and continues the segment on the next day', async () => {
    const sealed = await world.seal(20 * KIB);
    await run({ budgetBytesPerDay: 10 * KIB });
    await waits(/the budget of 2026-12-01 is spent \(8192 of 10240 bytes\)/);
    assert.deepEqual(
      [...store.content.uploads.values()].map(({ parts }) => parts.size),
      [2],
    );
    clock.wall += 86_400_000_000_000n;
    await waits(/2026-12-02 is spent \(8192 of/);
    clock.wall += 86_400_000_000_000n;
    await eventually(() => verified() === 1, 'the last part went on the third day');
    assert.equal(policy().spentBytes, 4 * KIB);
    assert.equal(engine?.status().bytes.resent, 0);
    await world.assertStoredOnce(store.content);
    assert.equal(store.content.objects.has(sealed.manifest.key), true);
  });

  it('gives no second budget to a clock that jumps over midnight and back', async () => {
    for (let n = 0; n < 6; n++) await world.seal(4 * KIB);
    await run({ budgetBytesPerDay: 8 * KIB });
    await waits(/2026-12-01 is spent/);
    clock.wall += 86_400_000_000_000n;
    await waits(/2026-12-02 is spent/);
    clock.wall -= 86_400_000_000_000n;
    await waits(/2026-12-01 is spent \(8192 of 8192/);
    await eventually(() => verified() === 4, 'two on each of two days');
    await eventually(() => policy().waiting.segments === 2, 'two wait');
  });

  it('remembers over a kill what was sent, and at most one part more', async () => {
    for (let n = 0; n < 6; n++) await world.seal(4 * KIB);
    await run({ budgetBytesPerDay: 12 * KIB, segmentsInFlight: 1 });
    await waits(/is spent/);
    await eventually(() => verified() === 3, 'three before the kill');
    const asKilled = await fs.readFile(join(world.folder.root, SPENT_FILE));
    await engine?.close();
    await fs.writeFile(join(world.folder.root, SPENT_FILE), asKilled);
    await run({ budgetBytesPerDay: 24 * KIB });
    await waits(/is spent/);
    await eventually(() => verified() === 5, 'one part counted too much');
  });

  it('writes the exact count when it ends', async () => {
    await world.seal(4 * KIB);
    await run({ budgetBytesPerDay: 64 * KIB });
    await eventually(() => verified() === 1, 'sent');
    await engine?.close();
    const text = await fs.readFile(join(world.folder.root, SPENT_FILE), 'utf8');
    const { sinks } = JSON.parse(text) as { sinks: { days: unknown }[] };
    assert.deepEqual(sinks[0]?.days, [{ day: '2026-12-01', bytes: 4 * KIB }]);
  });

  it('counts from zero after a damaged record, and says so', async () => {
    await world.seal(4 * KIB);
    await fs.writeFile(join(world.folder.root, SPENT_FILE), '{"version":1,"sinks":[{"days":[-1]}]}');
    await run({ budgetBytesPerDay: 64 * KIB });
    assert.match(engine?.status().lastError ?? '', /the budget of the day starts again/);
    await eventually(() => verified() === 1, 'sent');
  });

  it('lets events, high priority and requests pass, and nothing else', async () => {
    const all = [];
    for (let n = 0; n < 3; n++) all.push(await world.seal(2 * KIB));
    const high = await world.seal(2 * KIB, { priority: 'high' });
    const time = '2000000000';
    await writeEvent(fs, world.folder.events, {
      ...{ id: 'a'.repeat(32), label: 'bump' },
      ...{ at: time, from: time, to: time },
    });
    await run({ when: when('interface=eth0'), pass: ['events', 'high', 'requested'] });
    await eventually(() => verified() === 2, 'the event and the high one');
    engine?.request([present(all[2]).name]);
    await eventually(() => verified() === 3, 'the requested one');
    assert.deepEqual(
      [present(all[1]), high, present(all[2])].map(({ manifest }) => store.content.objects.has(manifest.key)),
      [true, true, true],
    );
    assert.deepEqual([policy().waiting.segments, policy().waiting.bytes], [1, 2 * KIB]);
  });

  it('counts a part that fails each time it leaves', async () => {
    await world.seal(4 * KIB);
    let failures = 1;
    store = new MemoryStore({
      faults: ({ method }, phase) => {
        if (method !== 'put' || phase !== 'before' || failures-- <= 0) return;
        throw new HoldfastError('STORE_BUSY', 'once');
      },
    });
    await run({ budgetBytesPerDay: 64 * KIB });
    await eventually(() => verified() === 1, 'sent');
    assert.ok(policy().spentBytes >= 8 * KIB, String(policy().spentBytes));
  });

  it('changes while sync runs, and is refused if a part would exceed the budget', async () => {
    await world.seal(4 * KIB);
    const running = await run({ when: when('hours=13:00-14:00') });
    await waits(/hours=13:00-14:00 \(it is 12:00\)/);
    assert.throws(() => running.reconfigure({ budgetBytesPerDay: 1 }), /at least one part \(4096 bytes\)/);
    running.reconfigure({ when: when('hours=11:00-13:00') });
    await eventually(() => verified() === 1, 'sent');
  });

  it('takes what a source that fails would tell for unknown', async () => {
    await world.seal(4 * KIB);
    const source = { read: () => Promise.reject(new Error('the bus is gone')) };
    await run({ when: when('ssid=*') }, { network: source });
    await waits(/ssid=\* \(unknown: the bus is gone\)/);
    assert.equal(policy().conditions[0]?.state, 'unknown');
  });

  it('forecasts what a robot sends on a day, and as many requests as sending takes', async () => {
    // Their messages are at 1, 2, ... s, and 10 s give a rate.
    await run({});
    await eventually(() => engine?.status().link === 'online', 'online');
    // Sealed while sync runs: it does not look for them in the store before it sends them.
    for (let n = 0; n < 12; n++) await world.seal(n % 2 === 0 ? 2 * KIB : 10 * KIB);
    await eventually(() => verified() === 12, 'sent');
    const [forecast, ...others] = engine?.status().forecast ?? [];
    const perDay = 86_400 / 11;
    assert.deepEqual(others, []);
    assert.deepEqual(forecast, {
      robot: 'r1',
      bytesPerDay: Math.round(72 * KIB * perDay),
      objectsPerDay: Math.round(24 * perDay),
      requestsPerDay: Math.round((6 * 9 + 6 * 13) * perDay),
    });
    const about = store.calls.filter(({ method }) => method !== 'listUploads');
    // The first look at the store takes some more.
    const extra = about.length - (6 * 9 + 6 * 13);
    assert.ok(extra >= 0 && extra < 12, `${about.length} calls`);
  });

  it('is decided by a sink of its own options first', async () => {
    await world.seal(4 * KIB);
    const sink = { name: 'hot', kind: 'mcap', form: '', required: true, selection: {}, when: [] } as const;
    await run({ when: when('hours=00:00-00:01'), budgetBytesPerDay: 0 }, { sink });
    await eventually(() => verified() === 1, 'sent at any time');
    assert.equal(engine?.status().sendPolicy, undefined);
  });
});
