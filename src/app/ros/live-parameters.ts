import { liveRecorderParameters, liveSyncParameters } from '../parameters/live-parameters.js';
import type { Role } from '../parameters/parameter.js';

const live: Readonly<Record<Role, ReadonlySet<string>>> = {
  recorder: new Set(['log.level', ...liveRecorderParameters]),
  sync: new Set(['log.level', ...liveSyncParameters]),
};

/** Whether a node takes over a parameter while it runs; the others are read-only. */
export function isLive(role: Role, name: string): boolean {
  return live[role].has(name);
}
