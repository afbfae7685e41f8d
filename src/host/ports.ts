import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import { systemClock } from './system-clock.js';

/** The ports of the operating system for the layers below. */
export interface SystemPorts {
  readonly clock: Clock;
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly hostname: string;
}

export function systemPorts(logger: Logger): SystemPorts {
  return { clock: systemClock, fs, random: randomBytes, logger, hostname: hostname() };
}
