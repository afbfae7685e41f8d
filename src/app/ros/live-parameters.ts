import { liveRecorderParameters, liveSyncParameters } from '../../settings/live-parameters.js';
import type { Role } from '../../settings/parameter.js';

const live: Readonly<Record<Role, ReadonlySet<string>>> = {
  recorder: new Set(['log.level', ...liveRecorderParameters]),
  sync: new Set(['log.level', ...liveSyncParameters]),
};

/** Whether a node accepts changes of a parameter while it runs; the others are read-only. */
export function isLive(role: Role, name: string): boolean {
  return live[role].has(name);
}
