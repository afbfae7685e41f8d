import { defined } from '../core/defined.js';
import { describeError, isHoldfastError, type HoldfastError } from '../core/errors.js';
import { recipientName } from '../encryption/wrapped-key.js';
import type { SyncStatus } from '../core/status.js';
import { LOST } from './confirmer.js';
import type { Link } from './link.js';
import type { LostSegments } from './lost-segments.js';
import type { SegmentEntry, SegmentTable } from './segment-table.js';
import type { StoreCalls } from './store-calls.js';
import type { StoreMemory } from './store-memory.js';
import { forecastStatus } from './forecast-status.js';
import { policyStatus } from './policy-status.js';
import type { SendGate } from './send-gate.js';
import type { SyncCounters } from './sync-counters.js';
import type { SyncOptions } from './sync-options.js';
import type { SinkSpec } from './sync-sink.js';
import { policyOf } from './upload-policy.js';
import type { Tombstones } from './tombstones.js';

/** A segment that is being uploaded. */
export interface ActiveUpload {
  readonly entry: SegmentEntry;
  readonly startedAt: bigint;
  sentBytes: number;
}

/** How a drain ended, and what this process did. */
export interface SyncSummary {
  /** Everything sealed is verified or parked, and every tombstone is written. False: stopped before that. */
  readonly complete: boolean;
  readonly segments: { readonly verified: number; readonly parked: number; readonly pending: number };
  readonly bytes: { readonly verified: number; readonly parked: number; readonly pending: number };
  /** By this process. */
  readonly verifiedNow: { readonly segments: number; readonly bytes: number };
  readonly tombstonesWaiting: number;
  readonly sentBytes: number;
  readonly resentBytes: number;
  readonly resumedUploads: number;
  readonly retries: number;
  readonly uploadErrors: number;
  /** Receipts and progress records that the disk did not accept. */
  readonly unwrittenFiles: number;
  readonly alarms: SyncStatus['alarms'];
  readonly lastError?: string;
}

interface Parts {
  readonly calls: StoreCalls;
  readonly counters: SyncCounters;
  readonly table: SegmentTable;
  readonly tombstones: Tombstones;
  readonly link: Link;
  readonly lost: LostSegments;
}

interface StatusParts extends Parts {
  readonly version: string;
  readonly pid: number;
  readonly dataFolder: string;
  readonly storeUri: string;
  readonly storeId: string | undefined;
  readonly memory: StoreMemory;
  readonly startedAt: bigint;
  readonly active: ReadonlyMap<string, ActiveUpload>;
  readonly sink: SinkSpec;
  /** Why the data folder cannot be read: its permissions. */
  readonly denied: HoldfastError | undefined;
  readonly options: SyncOptions;
  readonly gate: SendGate;
}

const ALARMS_MAX = 100;

export function composeStatus(parts: StatusParts): SyncStatus {
  const { table, counters, link } = parts;
  const { pending, active, verified, parked, held } = table.totals;
  const pendingBytes = pending.bytes + active.bytes;
  const rate = counters.bytesPerS();
  const current = currentUpload(parts.active);
  const oldest = oldestUnsynced(table);
  return {
    role: 'sync',
    version: parts.version,
    pid: parts.pid,
    dataFolder: parts.dataFolder,
    store: parts.storeUri,
    ...defined({ storeId: parts.storeId, storeRefuses: refusalOf(parts.memory) }),
    startedAt: String(parts.startedAt),
    isSyncing: parts.active.size > 0,
    link: link.state,
    linkSince: String(link.since),
    ...(counters.lastSyncAt === undefined ? {} : { lastSyncAt: String(counters.lastSyncAt) }),
    ...defined({ storeLatencyMs: link.latencyMs }),
    segmentsSynced: counters.syncedTotal,
    uploadErrors: parts.calls.counters.errors,
    ...lastErrorOf(parts),
    ...(link.nextRetryInMs === undefined ? {} : { nextRetryInMs: Math.round(link.nextRetryInMs) }),
    segments: {
      pending: pending.segments + active.segments,
      verified: verified.segments,
      parked: parked.segments,
      lost: parts.lost.open.length,
      retrying: retrying(table),
      held: held.segments,
    },
    bytes: {
      ...{ pending: pendingBytes, verified: verified.bytes, resent: counters.resentBytes },
      held: held.bytes,
    },
    uploadPolicy: policyOf(parts),
    ...defined({
      encryptedFor: parts.sink.recipients?.map(recipientName),
      sendPolicy: policyStatus(parts.gate, table, parts.options.partBytes),
      forecast: parts.sink.deriver ? undefined : forecastStatus(table, parts.options.partBytes),
    }),
    resumedUploads: counters.resumedUploads,
    uploads: {
      segments: counters.verifiedSegments,
      bytes: counters.verifiedBytes,
      sentBytes: counters.sentBytes,
      retries: counters.retries,
      durations: counters.durations.toJson(),
    },
    ...(parts.sink.kind === 'parquet' ? { writes: counters.writes.toJson() } : {}),
    ...(parts.sink.transform
      ? {
          transforms: { ...counters.writes.transforms.toJson(), parked: parkedBy(table, 'TRANSFORM_FAILED') },
        }
      : {}),
    ...(current ? { current } : {}),
    ...defined({ oldestUnsyncedAt: oldest }),
    transferBytesPerS: rate,
    ...(rate > 0 && pendingBytes > 0 ? { etaMs: Math.round((pendingBytes / rate) * 1000) } : {}),
    alarms: alarmsOf(parts, parts.denied),
  };
}

function refusalOf({ refusal }: StoreMemory): SyncStatus['storeRefuses'] {
  return refusal && { what: 'checksums', server: refusal.server, since: refusal.since };
}

export function summarize(parts: Parts & { complete: boolean; unwritten: number }): SyncSummary {
  const { table, counters, calls } = parts;
  const { pending, active, verified, parked } = table.totals;
  return {
    complete: parts.complete,
    segments: {
      verified: verified.segments,
      parked: parked.segments,
      pending: pending.segments + active.segments,
    },
    bytes: { verified: verified.bytes, parked: parked.bytes, pending: pending.bytes + active.bytes },
    verifiedNow: { segments: counters.verifiedSegments, bytes: counters.verifiedBytes },
    tombstonesWaiting: parts.tombstones.waiting,
    sentBytes: counters.sentBytes,
    resentBytes: counters.resentBytes,
    resumedUploads: counters.resumedUploads,
    retries: counters.retries,
    uploadErrors: calls.counters.errors,
    unwrittenFiles: parts.unwritten,
    alarms: alarmsOf(parts),
    ...lastErrorOf(parts),
  };
}

// While offline, the reason for that matters more than earlier or later errors.
function lastErrorOf({ link, counters }: Parts): { lastError?: string } {
  const lastError = link.state === 'offline' ? describeError(link.error) : counters.lastError;
  return lastError === undefined ? {} : { lastError };
}

function currentUpload(active: ReadonlyMap<string, ActiveUpload>): SyncStatus['current'] {
  let first: ActiveUpload | undefined;
  for (const upload of active.values()) if (!first || upload.startedAt < first.startedAt) first = upload;
  if (!first) return undefined;
  const { entry, sentBytes } = first;
  const progress = entry.bytes === 0 ? 1 : Math.min(1, sentBytes / entry.bytes);
  return { segment: entry.name, robot: entry.robot, bytes: entry.bytes, progress };
}

function oldestUnsynced(table: SegmentTable): string | undefined {
  let oldest: bigint | undefined;
  for (const entry of table.values()) {
    if ((entry.state !== 'pending' && entry.state !== 'active') || entry.firstLogTime === undefined) continue;
    const time = BigInt(entry.firstLogTime);
    if (oldest === undefined || time < oldest) oldest = time;
  }
  return oldest === undefined ? undefined : String(oldest);
}

/** Segments whose last attempt failed. */
function retrying(table: SegmentTable): number {
  let segments = 0;
  for (const { state, turns } of table.values()) {
    if (turns > 0 && (state === 'pending' || state === 'active')) segments++;
  }
  return segments;
}

/** Sealed files are named after their segment and robot. */
function robotOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

function alarmsOf({ table, tombstones, link, lost }: Parts, denied?: HoldfastError): SyncStatus['alarms'] {
  const alarms: SyncStatus['alarms'][number][] = [];
  const add = (segment: string, robot: string, alarm: { code: string; message: string }): void => {
    if (alarms.length < ALARMS_MAX) alarms.push({ segment, robot, code: alarm.code, message: alarm.message });
  };
  if (denied !== undefined) add('', '', denied);
  // Concerns the whole store; a user must act.
  if (isHoldfastError(link.error) && !link.error.retryable) add('', '', link.error);
  for (const { name, message } of lost.open) add(name, robotOf(name), { code: LOST, message });
  for (const { name, robot, alarm } of table.values()) if (alarm) add(name, robot, alarm);
  for (const [name, alarm] of tombstones.refused) add(name, '', alarm);
  return alarms;
}

function parkedBy(table: SegmentTable, code: string): number {
  let parked = 0;
  if (table.totals.parked.segments === 0) return parked;
  for (const { state, alarm } of table.values()) if (state === 'parked' && alarm?.code === code) parked++;
  return parked;
}
