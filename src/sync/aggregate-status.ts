import { defined } from '../core/defined.js';
import type { SinkStatus, SyncAlarm, SyncStatus } from '../core/status.js';
import type { LinkState } from '../core/link-state.js';
import type { SinkSpec } from './sync-sink.js';

/** The status of one engine, and the sink that it works for. */
export interface EngineStatus {
  readonly sink: SinkSpec;
  readonly status: SyncStatus;
}

const ALARMS_MAX = 100;
const worst: readonly LinkState[] = ['offline', 'unknown', 'online'];

/**
 * One status for all sinks of a data folder. A segment counts as verified when every required sink has it, so
 * for each number the sink that is furthest behind decides. Completed work is the sum of all sinks. The store
 * shown is that of the first sink.
 */
export function aggregateStatus(engines: readonly [EngineStatus, ...EngineStatus[]]): SyncStatus {
  const [first] = engines;
  if (engines.length === 1) return first.status;
  const required = engines.filter(({ sink }) => sink.required).map(({ status }) => status);
  const counted = required.length > 0 ? required : engines.map(({ status }) => status);
  const all = engines.map(({ status }) => status);
  const behind = counted.reduce((a, b) => (b.segments.pending > a.segments.pending ? b : a));
  const link = worst.find((state) => counted.some((status) => status.link === state)) ?? first.status.link;
  // Among the sinks in the worst state, prefer one with a reason.
  const said = counted.filter((status) => status.link === link);
  const speaker = said.find(({ lastError }) => lastError !== undefined) ?? said[0] ?? first.status;
  const {
    lastError: _lastError,
    nextRetryInMs: _nextRetryInMs,
    oldestUnsyncedAt: _oldest,
    etaMs: _etaMs,
    current: _current,
    writes: _writes,
    transforms: _transforms,
    ...rest
  } = first.status;
  const lastError = speaker.lastError ?? all.find((status) => status.lastError !== undefined)?.lastError;
  const current = all.find((status) => status.current !== undefined)?.current;
  const oldest = counted
    .map(({ oldestUnsyncedAt }) => oldestUnsyncedAt)
    .filter((time) => time !== undefined)
    .reduce<string | undefined>((a, b) => (a === undefined || BigInt(b) < BigInt(a) ? b : a), undefined);
  return {
    ...rest,
    isSyncing: all.some(({ isSyncing }) => isSyncing),
    link,
    linkSince: speaker.linkSince,
    uploadErrors: sum(all, ({ uploadErrors }) => uploadErrors),
    ...defined({ lastError, nextRetryInMs: speaker.nextRetryInMs }),
    segmentsSynced: Math.min(...counted.map(({ segmentsSynced = 0 }) => segmentsSynced)),
    segments: {
      pending: behind.segments.pending,
      verified: Math.min(...counted.map(({ segments }) => segments.verified)),
      parked: Math.max(...counted.map(({ segments }) => segments.parked)),
      lost: sum(all, ({ segments }) => segments.lost ?? 0),
      retrying: Math.max(...all.map(({ segments }) => segments.retrying ?? 0)),
      held: Math.max(...counted.map(({ segments }) => segments.held ?? 0)),
    },
    bytes: {
      pending: Math.max(...counted.map(({ bytes }) => bytes.pending)),
      verified: Math.min(...counted.map(({ bytes }) => bytes.verified)),
      resent: sum(all, ({ bytes }) => bytes.resent),
      held: Math.max(...counted.map(({ bytes }) => bytes.held ?? 0)),
    },
    resumedUploads: sum(all, ({ resumedUploads }) => resumedUploads),
    ...(first.status.uploads === undefined ? {} : { uploads: sumUploads(first.status.uploads, all) }),
    ...defined({ current, oldestUnsyncedAt: oldest }),
    transferBytesPerS: sum(all, ({ transferBytesPerS }) => transferBytesPerS),
    ...defined({ etaMs: behind.etaMs }),
    alarms: alarmsOf(engines),
    sinks: engines.map(sinkStatus),
  };
}

function sum(statuses: readonly SyncStatus[], value: (status: SyncStatus) => number): number {
  return statuses.reduce((total, status) => total + value(status), 0);
}

/** Sent bytes and retries are summed over all sinks; segments and their durations are those of the first. */
function sumUploads(
  first: NonNullable<SyncStatus['uploads']>,
  all: readonly SyncStatus[],
): NonNullable<SyncStatus['uploads']> {
  return {
    ...first,
    sentBytes: sum(all, ({ uploads }) => uploads?.sentBytes ?? 0),
    retries: sum(all, ({ uploads }) => uploads?.retries ?? 0),
  };
}

function alarmsOf(engines: readonly EngineStatus[]): SyncAlarm[] {
  return engines
    .flatMap(({ sink, status }) =>
      status.alarms.map((alarm) => ({ ...alarm, message: `${sink.name}: ${alarm.message}` })),
    )
    .slice(0, ALARMS_MAX);
}

function sinkStatus({ sink, status }: EngineStatus): SinkStatus {
  const { store, link, lastSyncAt, lastError, segments, bytes, alarms } = status;
  const { writes, transforms, encryptedFor, sendPolicy } = status;
  return {
    name: sink.name,
    kind: sink.kind,
    store,
    required: sink.required,
    link,
    ...defined({ lastSyncAt, lastError, writes, transforms, encryptedFor, sendPolicy }),
    segments,
    bytes,
    alarms: alarms.length,
  };
}
