import { randomBytes } from 'node:crypto';
import fileSystem from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.js';
import type { StorePorts } from '../../src/stores/open-store.js';

const clock: Clock = {
  now: () => BigInt(Date.now()) * 1_000_000n,
  monotonic: () => process.hrtime.bigint(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
};

/** The real disk, clock and randomness. */
export const storePorts: StorePorts = { fileSystem, clock, random: randomBytes };
