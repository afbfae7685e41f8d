import type { Priority } from '../core/message.js';
import type { SealedObject } from './sealed-index.js';

/** What to do when space is short and no verified segment is left. */
export type WhenFull = 'stop' | 'drop-oldest' | 'drop-lowest';

export interface SpaceLimits {
  /** Minimum bytes of free disk space; the floor is the smaller of this and the percentage. */
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
  /** Quota of the data folder in bytes; 0: none. */
  readonly maxBytes: number;
  /** Bytes freed beyond the limit, so that not every tick evicts again. */
  readonly slackBytes: number;
}

export interface SpaceUse {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Bytes of the data folder including the ballast; 0 if there is no quota. */
  readonly usedBytes: number;
  /** Ballast that was released for a full disk and must be reserved again before recording continues. */
  readonly owedBytes: number;
  /** Space that sealing needs under a policy that evicts: a full disk without a sealed segment stays full. */
  readonly sealBytes: number;
}

/** Why segments must be evicted: stable words, also in tombstones. */
export type ShortageReason = 'free_space' | 'quota';

export interface Shortage {
  readonly bytes: number;
  readonly reason: ShortageReason;
}

/** Slack takes at most one part in this many of the disk or the quota. */
const DISK_PART = 16;
const QUOTA_PART = 8;
const LOW_WATER_BYTES = 8 * 1024 * 1024;
const LOW_WATER_PART = 64;

/** Bytes of disk space that recording must leave free. */
export function freeFloor({ minFreeBytes, minFreePercent }: SpaceLimits, totalBytes: number): number {
  return Math.min(minFreeBytes, Math.floor((totalBytes * minFreePercent) / 100));
}

/** Below this the disk counts as full: the ballast is released without waiting for an error. */
export function lowWater(totalBytes: number): number {
  return Math.min(LOW_WATER_BYTES, Math.floor(totalBytes / LOW_WATER_PART));
}

/** Bytes that must stay free beside the ballast, or it would be released again at once. */
function ballastFloor(limits: SpaceLimits, totalBytes: number): number {
  return Math.max(freeFloor(limits, totalBytes), 2 * lowWater(totalBytes));
}

function diskSlack({ slackBytes }: SpaceLimits, totalBytes: number): number {
  return Math.min(slackBytes, Math.floor(totalBytes / DISK_PART));
}

/**
 * The bytes that must be freed now. 0 until a limit is reached. After that, enough for the slack beyond the
 * limit. `pressed`: a limit was reached before and there is no slack yet, or a write found the disk full.
 * Owed ballast counts too.
 */
export function shortageOf(limits: SpaceLimits, use: SpaceUse, pressed: boolean): Shortage | undefined {
  const { freeBytes, totalBytes, usedBytes, owedBytes, sealBytes } = use;
  const floor = Math.max(freeFloor(limits, totalBytes), sealBytes);
  const kept = owedBytes > 0 ? ballastFloor(limits, totalBytes) + owedBytes : floor;
  const wanted = kept + diskSlack(limits, totalBytes);
  const disk = pressed || owedBytes > 0 || freeBytes < floor ? wanted - freeBytes : 0;
  const step = Math.min(limits.slackBytes, Math.floor(limits.maxBytes / QUOTA_PART));
  const over = usedBytes - (limits.maxBytes - step);
  const quota = limits.maxBytes > 0 && (over > 0 || pressed) ? over + step : 0;
  const bytes = Math.max(disk, quota);
  if (bytes <= 0) return undefined;
  return { bytes, reason: disk >= quota ? 'free_space' : 'quota' };
}

/** The shortage in words, for the status. */
export function describeShortage({ bytes, reason }: Shortage, use: SpaceUse, limits: SpaceLimits): string {
  if (reason === 'quota') {
    const quota = `its quota of ${limits.maxBytes} (retention.max_bytes)`;
    return `the data folder holds ${use.usedBytes} bytes, ${bytes} too many for ${quota}`;
  }
  const floorBytes = Math.max(freeFloor(limits, use.totalBytes), use.sealBytes);
  const owed = use.owedBytes > 0 ? ` and ${use.owedBytes} of the ballast` : '';
  return `${use.freeBytes} bytes of disk space are free, to be kept: ${floorBytes}${owed}; ${bytes} are missing`;
}

/** Bytes that the ballast may take without ever causing an eviction. */
export function ballastRoom(limits: SpaceLimits, use: SpaceUse): number {
  const { freeBytes, totalBytes, usedBytes } = use;
  const disk = freeBytes - ballastFloor(limits, totalBytes) - diskSlack(limits, totalBytes);
  if (limits.maxBytes === 0) return Math.max(0, disk);
  const quota = limits.maxBytes - usedBytes - 2 * limits.slackBytes;
  return Math.max(0, Math.min(disk, quota));
}

export interface EvictionPlan {
  /** Segments with a receipt, in the order of eviction if their stores confirm them. */
  readonly verified: readonly SealedObject[];
  /** Segments that the policy evicts: those that a store probably holds come first. */
  readonly unverified: readonly SealedObject[];
  /** Bytes still missing after all these evictions. */
  readonly shortBytes: number;
}

export interface Candidates {
  /** Oldest first. */
  readonly objects: Iterable<SealedObject>;
  readonly mayGo: (object: SealedObject) => boolean;
  readonly bytes: number;
  readonly whenFull: WhenFull;
  /** Maximum number of segments per choice; a later call returns the rest. */
  readonly limit: number;
}

const dropOrder: readonly Priority[] = ['low', 'normal', 'high'];

/** The segments to evict: those with a receipt oldest first, then those of the policy. */
export function planEvictions({ objects, mayGo, bytes, whenFull, limit }: Candidates): EvictionPlan {
  const verified: SealedObject[] = [];
  const others: SealedObject[] = [];
  let short = bytes;
  for (const object of objects) {
    if (short <= 0 || verified.length >= limit) break;
    if (!mayGo(object)) continue;
    if (object.receipt === 'seen') {
      verified.push(object);
      short -= object.bytes;
    } else if (whenFull !== 'stop') others.push(object);
  }
  const unverified: SealedObject[] = [];
  const drop = (object: SealedObject): void => {
    if (short <= 0 || verified.length + unverified.length >= limit) return;
    unverified.push(object);
    short -= object.bytes;
  };
  others.filter(({ receipt }) => receipt === 'unanswered').forEach(drop);
  const originals = others.filter(({ receipt }) => receipt === 'none');
  if (whenFull === 'drop-oldest') originals.forEach(drop);
  if (whenFull === 'drop-lowest') {
    for (const priority of dropOrder)
      originals.filter((object) => object.priority === priority).forEach(drop);
  }
  return { verified, unverified, shortBytes: Math.max(0, short) };
}
