import { randomBytes } from 'node:crypto';
import fileSystem from 'node:fs/promises';
import { systemClock } from '../../src/host/system-clock.js';
import type { StorePorts } from '../../src/stores/open-store.js';

/** The real disk, clock and randomness. */
export const storePorts: StorePorts = { fileSystem, clock: systemClock, random: randomBytes };
