import type { Priority } from '../core/message.js';
import type { SealedObject } from './sealed-index.js';

/** What to do when space is short and nothing verified is left. */
export type WhenFull = 'stop' | 'drop-oldest' | 'drop-lowest';

export interface SpaceLimits {
  /** Bytes of free disk space to keep: the smaller of this and the percentage is the floor. */
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
  /** Of the data folder, the ballast too; 0 where there is no quota. */
  readonly usedBytes: number;
  /** Ballast that was given up for a full disk and must be taken back before recording goes on. */
  readonly owedBytes: number;
}

/** Why something must go: stable words, also in tombstones. */
export type ShortageReason = 'free_space' | 'quota';

export interface Shortage {
  readonly bytes: number;
  readonly reason: ShortageReason;
}

/** Slack takes at most this part of the disk, or of the quota. */
const DISK_PART = 16;
const QUOTA_PART = 8;
const LOW_WATER_BYTES = 8 * 1024 * 1024;
const LOW_WATER_PART = 64;

/** Bytes of disk space that recording must leave free. */
export function freeFloor({ minFreeBytes, minFreePercent }: SpaceLimits, totalBytes: number): number {
  return Math.min(minFreeBytes, Math.floor((totalBytes * minFreePercent) / 100));
}

/** Below this a disk is as good as full: the ballast goes without waiting for an error. */
export function lowWater(totalBytes: number): number {
  return Math.min(LOW_WATER_BYTES, Math.floor(totalBytes / LOW_WATER_PART));
}

/** What must stay free beside the ballast, or it would go again at once. */
function ballastFloor(limits: SpaceLimits, totalBytes: number): number {
  return Math.max(freeFloor(limits, totalBytes), 2 * lowWater(totalBytes));
}

function diskSlack({ slackBytes }: SpaceLimits, totalBytes: number): number {
  return Math.min(slackBytes, Math.floor(totalBytes / DISK_PART));
}

/**
 * The bytes that must be freed now. Nothing until a limit is reached; from then on (`pressed`: it was reached
 * before and is not mended, or a write hit the end of the disk; or ballast is owed) until there is slack
 * beyond it.
 */
export function shortageOf(limits: SpaceLimits, use: SpaceUse, pressed: boolean): Shortage | undefined {
  const { freeBytes, totalBytes, usedBytes, owedBytes } = use;
  const floor = freeFloor(limits, totalBytes);
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

/** Bytes the ballast may take without ever being the reason why something must go. */
export function ballastRoom(limits: SpaceLimits, use: SpaceUse): number {
  const { freeBytes, totalBytes, usedBytes } = use;
  const disk = freeBytes - ballastFloor(limits, totalBytes) - diskSlack(limits, totalBytes);
  if (limits.maxBytes === 0) return Math.max(0, disk);
  const quota = limits.maxBytes - usedBytes - 2 * limits.slackBytes;
  return Math.max(0, Math.min(disk, quota));
}

export interface EvictionPlan {
  /** In the order in which they go. */
  readonly verified: readonly SealedObject[];
  readonly unverified: readonly SealedObject[];
  /** Bytes still missing when all these are gone. */
  readonly shortBytes: number;
}

export interface Candidates {
  /** Oldest first. */
  readonly objects: Iterable<SealedObject>;
  readonly mayGo: (object: SealedObject) => boolean;
  readonly bytes: number;
  readonly whenFull: WhenFull;
  /** Most segments to name; the rest is asked for again. */
  readonly limit: number;
}

const dropOrder: readonly Priority[] = ['low', 'normal', 'high'];

/** What goes: verified segments oldest first, then by policy. */
export function planEvictions({ objects, mayGo, bytes, whenFull, limit }: Candidates): EvictionPlan {
  const verified: SealedObject[] = [];
  const others: SealedObject[] = [];
  let short = bytes;
  for (const object of objects) {
    if (short <= 0 || verified.length >= limit) break;
    if (!mayGo(object)) continue;
    if (object.receipt) {
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
  if (whenFull === 'drop-oldest') others.forEach(drop);
  if (whenFull === 'drop-lowest') {
    for (const priority of dropOrder) others.filter((object) => object.priority === priority).forEach(drop);
  }
  return { verified, unverified, shortBytes: Math.max(0, short) };
}
