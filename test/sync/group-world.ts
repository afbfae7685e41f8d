import { silentLogger } from '../../src/core/logger.js';
import type { Store } from '../../src/core/store.js';
import { Evictor } from '../../src/seal/retention-evict.js';
import { SyncGroup, type GroupPorts, type GroupSummary, type Sink } from '../../src/sync/sync-group.js';
import type { SinkSpec } from '../../src/sync/sync-sink.js';
import { eventually } from '../../src/testing/waiting.js';
import { realClock, type Sealed, type SyncWorld } from './sync-world.js';
import * as fs from 'node:fs/promises';

/** A sink of sealed files as they are, with what a test wants otherwise. */
export function sinkOf(store: Store, more: Partial<SinkSpec> = {}): Sink {
  return {
    store,
    spec: { name: store.uri, kind: 'mcap', form: '', required: true, selection: {}, ...more },
  };
}

export function openGroup(
  world: SyncWorld,
  sinks: readonly [Sink, ...Sink[]],
  more: Partial<GroupPorts> = {},
): Promise<SyncGroup> {
  const { store: _store, ...ports } = world.ports(sinks[0].store, more);
  return SyncGroup.open({ ...ports, sinks });
}

/** Opens, drains, closes. */
export async function drainGroup(
  world: SyncWorld,
  sinks: readonly [Sink, ...Sink[]],
  more: Partial<GroupPorts> = {},
  signal = AbortSignal.timeout(20_000),
): Promise<GroupSummary> {
  const group = await openGroup(world, sinks, more);
  try {
    return await group.drain(signal);
  } finally {
    await group.close();
  }
}

/** Opens, drains until an alarm with these words, closes: for sinks that never become complete. */
export async function drainUntilAlarm(
  world: SyncWorld,
  sinks: readonly [Sink, ...Sink[]],
  words: RegExp,
): Promise<GroupSummary> {
  const group = await openGroup(world, sinks);
  try {
    const end = new AbortController();
    const drained = group.drain(end.signal);
    const isTold = (): boolean => group.status().alarms.some(({ message }) => words.test(message));
    await eventually(isTold, `the alarm ${String(words)}`);
    end.abort();
    return await drained;
  } finally {
    await group.close();
  }
}

/** Whether retention would let this segment go as verified; it is gone then. */
export async function evictsAsVerified(world: SyncWorld, { name }: Sealed): Promise<boolean> {
  const evictor = new Evictor({ fs, clock: realClock, logger: silentLogger, folder: world.folder });
  const evidence = {
    maxAgeNs: 600_000_000_000n,
    requestOf: () => ({ nonce: '', isWaiting: false }),
    onAnswer: () => undefined,
  };
  const { evicted } = await evictor.evict([{ name, mayDrop: false }], 'test', evidence);
  return evicted.length === 1;
}
