import { NS_PER_MS } from '../../core/clock.js';
import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import { humanBytes, humanCount, humanDuration } from '../cli/human.js';
import type { Fields } from './cdr-encoder.js';

/** Levels of `diagnostic_msgs/msg/DiagnosticStatus`. */
export const levels = { ok: 0, warn: 1, error: 2, stale: 3 } as const;

/** A counter that grew within this time is news: what was lost an hour ago is history. */
const RECENT_MS = 60_000;
/** Beyond what the settings let one expect. */
const LOSS_WINDOW_WARN_MS = 1_000;
const LOSS_WINDOW_ERROR_MS = 10_000;
/** Robots with an entry of their own. */
const ROBOTS_MAX = 64;
/** Topics with trouble that are named one by one. */
const PROBLEMS_MAX = 50;

/** One line of a diagnostics panel. */
export interface Diagnostic {
  readonly level: number;
  /** What it is about, without the node. */
  readonly task: string;
  readonly message: string;
  readonly hardwareId: string;
  readonly values: Readonly<Record<string, string>>;
}

/** What the settings of a recorder let one expect. */
export interface RecorderExpectations {
  /** Robot of the node itself. */
  readonly robot: string;
  /** Age a message may have before it is durable, ms: the batch's and the interval's. */
  readonly lossWindowMs: number;
  /** Free disk space to keep: the smaller of the two. */
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
}

/** What keeps part of a source from being recorded whole, while it lasts. */
export interface SourceProblem {
  readonly kind: string;
  readonly topic: string;
  readonly detail: string;
}

/** Remembers when counters grew last. */
export class RecentGrowth {
  readonly #seen = new Map<string, { value: number; grewAtMs: number }>();

  constructor(private readonly nowMs: () => number) {}

  /** Whether the counter grew within the last minute; what it starts with is no growth. */
  grew(name: string, value: number): boolean {
    const now = this.nowMs();
    const known = this.#seen.get(name);
    const grewAtMs = known === undefined ? -Infinity : value > known.value ? now : known.grewAtMs;
    this.#seen.set(name, { value, grewAtMs });
    return now - grewAtMs <= RECENT_MS;
  }
}

export function recorderDiagnostics(
  status: RecorderStatus,
  expected: RecorderExpectations,
  recent: RecentGrowth,
  problems: readonly SourceProblem[] = [],
): Diagnostic[] {
  const all = [
    recordingDiagnostic(status),
    durabilityDiagnostic(status, expected, recent),
    dropsDiagnostic(status, recent),
    diskDiagnostic(status, expected),
    sourcesDiagnostic(status),
    topicsDiagnostic(status, problems),
  ].map((one) => ({ ...one, hardwareId: expected.robot }));
  const robots = status.robots.filter(({ robot }) => robot !== expected.robot || status.robots.length > 1);
  // A robot's drops are not told apart by reason: they are news only while unwanted ones are.
  const areNew = all.some(({ task, level }) => task === 'drops' && level !== levels.ok);
  return [...all, ...robots.slice(0, ROBOTS_MAX).map((one) => robotDiagnostic(one, recent, areNew))];
}

type Part = Omit<Diagnostic, 'hardwareId'>;

function recordingDiagnostic(status: RecorderStatus): Part {
  const { state, stalledReason, rates } = status;
  const isIdle = state === 'paused' || state === 'inactive' || state === 'stopped';
  // A reason without a stall: it did not get into the state it was asked for.
  const level =
    state === 'stalled' || stalledReason !== undefined ? levels.error : isIdle ? levels.warn : levels.ok;
  return {
    level,
    task: 'recording',
    message:
      stalledReason === undefined
        ? isIdle
          ? `${state}: nothing is recorded`
          : state
        : `${state}: ${stalledReason}`,
    values: {
      state,
      rate: `${humanCount(rates.messagesPerS)} msg/s, ${humanBytes(rates.bytesPerS)}/s`,
      received: humanCount(status.totals.received),
      durable: humanCount(status.totals.durable),
      'sealed segments': String(status.sealed.segments),
      'segments waiting to be sealed': String(status.wal.waiting),
      'data folder': status.dataFolder,
    },
  };
}

function durabilityDiagnostic(
  { lossWindow, commits }: RecorderStatus,
  expected: RecorderExpectations,
  recent: RecentGrowth,
): Part {
  const lateMs = lossWindow.ms - expected.lossWindowMs;
  const failed = recent.grew('commits failed', commits.failed);
  return {
    level:
      lateMs > LOSS_WINDOW_ERROR_MS
        ? levels.error
        : lateMs > LOSS_WINDOW_WARN_MS || failed
          ? levels.warn
          : levels.ok,
    task: 'durability',
    message: failed
      ? 'a commit failed within the last minute'
      : `a kill now would lose ${humanDuration(lossWindow.ms)}, ${humanCount(lossWindow.messages)} messages`,
    values: {
      'loss window': humanDuration(lossWindow.ms),
      'loss window messages': humanCount(lossWindow.messages),
      'loss window bytes': humanBytes(lossWindow.bytes),
      'largest loss window': humanDuration(lossWindow.maxMs),
      'commit p50': `${commits.p50Ms.toFixed(1)} ms`,
      'commit p99': `${commits.p99Ms.toFixed(1)} ms`,
      'commits failed': String(commits.failed),
    },
  };
}

function dropsDiagnostic({ totals, queue }: RecorderStatus, recent: RecentGrowth): Part {
  // Paused messages are left out because somebody asked for it; that it is paused is said elsewhere.
  const unwanted = totals.dropped - (totals.droppedByReason.paused ?? 0);
  const isNew = recent.grew('dropped', unwanted);
  return {
    level: isNew ? levels.warn : levels.ok,
    task: 'drops',
    message: isNew
      ? `messages were dropped within the last minute, ${humanCount(totals.dropped)} in all`
      : totals.dropped === 0
        ? 'nothing dropped'
        : `none lately, ${humanCount(totals.dropped)} since the start`,
    values: {
      dropped: humanCount(totals.dropped),
      ...Object.fromEntries(
        Object.entries(totals.droppedByReason).map(([reason, count]) => [reason, humanCount(count)]),
      ),
      queue: `${humanBytes(queue.bytes)} of ${humanBytes(queue.maxBytes)}`,
    },
  };
}

function diskDiagnostic({ disk, stalledReason }: RecorderStatus, expected: RecorderExpectations): Part {
  const floor = Math.min(expected.minFreeBytes, (expected.minFreePercent / 100) * disk.totalBytes);
  const isFull = stalledReason?.startsWith('disk_full') === true;
  const level = isFull
    ? levels.error
    : disk.totalBytes > 0 && disk.freeBytes < floor
      ? levels.error
      : disk.totalBytes > 0 && disk.freeBytes < 2 * floor
        ? levels.warn
        : levels.ok;
  return {
    level,
    task: 'disk',
    message: isFull ? stalledReason : `${humanBytes(disk.freeBytes)} of ${humanBytes(disk.totalBytes)} free`,
    values: {
      free: humanBytes(disk.freeBytes),
      total: humanBytes(disk.totalBytes),
      'kept free': humanBytes(floor),
      'evicted segments': String(disk.evictedSegments),
    },
  };
}

function sourcesDiagnostic({ sources, state }: RecorderStatus): Part {
  const failed = sources.filter((one) => one.state === 'failed');
  const waiting = sources.filter((one) => one.state === 'waiting' || one.state === 'connecting');
  // What a source that is open adds is trouble with part of it.
  const partly = sources.filter((one) => one.state === 'open' && (one.detail ?? '') !== '');
  const [first] = [...failed, ...waiting, ...partly];
  const isRecording = state === 'recording' || state === 'paused' || state === 'stalled';
  return {
    level: failed.length > 0 ? levels.error : first !== undefined && isRecording ? levels.warn : levels.ok,
    task: 'sources',
    message:
      first === undefined
        ? `${sources.length} open or done`
        : `${first.uri} ${first.state}${first.detail ? `: ${first.detail}` : ''}`,
    values: Object.fromEntries(
      sources.map((one) => [one.uri, one.detail ? `${one.state}: ${one.detail}` : one.state]),
    ),
  };
}

function topicsDiagnostic({ robots }: RecorderStatus, problems: readonly SourceProblem[]): Part {
  const [first] = problems;
  const channels = robots.reduce((sum, one) => sum + one.channels, 0);
  const shown = problems.slice(0, PROBLEMS_MAX);
  return {
    level: first === undefined ? levels.ok : levels.warn,
    task: 'topics',
    message:
      first === undefined
        ? `${channels} channels`
        : `${problems.length} with trouble: ${first.topic} ${first.kind}: ${first.detail}`,
    values: {
      channels: String(channels),
      ...Object.fromEntries(shown.map(({ topic, kind, detail }) => [`${topic} ${kind}`, detail])),
    },
  };
}

function robotDiagnostic(
  one: RecorderStatus['robots'][number],
  recent: RecentGrowth,
  areNew: boolean,
): Diagnostic {
  const isNew = recent.grew(`dropped of ${one.robot}`, one.dropped) && areNew;
  return {
    level: isNew ? levels.warn : levels.ok,
    task: `robot ${one.robot}`,
    hardwareId: one.robot,
    message: isNew
      ? 'messages were dropped within the last minute'
      : `${humanCount(one.messagesPerS)} msg/s on ${one.channels} channels`,
    values: {
      channels: String(one.channels),
      received: humanCount(one.received),
      durable: humanCount(one.durable),
      dropped: humanCount(one.dropped),
      rate: `${humanCount(one.messagesPerS)} msg/s, ${humanBytes(one.bytesPerS)}/s`,
    },
  };
}

export function syncDiagnostics(status: SyncStatus, robot: string, nowNs: bigint): Diagnostic[] {
  return [linkDiagnostic(status, nowNs), uploadsDiagnostic(status, nowNs)].map((one) => ({
    ...one,
    hardwareId: robot,
  }));
}

function linkDiagnostic(status: SyncStatus, nowNs: bigint): Part {
  const { link, lastError, nextRetryInMs } = status;
  // An alarm without a segment concerns the whole store: nothing moves until somebody acts.
  const alarm = status.alarms.find(({ segment }) => segment === '');
  const isOffline = link === 'offline';
  const age = since(status.linkSince, nowNs);
  return {
    level: alarm ? levels.error : isOffline ? levels.warn : levels.ok,
    task: 'link',
    message: alarm
      ? `${alarm.code}: ${alarm.message}`
      : isOffline
        ? `offline for ${age}${lastError === undefined ? '' : `: ${lastError}`}`
        : `${link} for ${age}`,
    values: {
      link,
      store: status.store,
      'next try in': nextRetryInMs === undefined ? '-' : humanDuration(nextRetryInMs),
      'failed calls': String(status.uploadErrors),
      'last error': lastError ?? '-',
    },
  };
}

function uploadsDiagnostic(status: SyncStatus, nowNs: bigint): Part {
  const { segments, bytes, alarms, current } = status;
  const parked = alarms.find(({ segment }) => segment !== '');
  return {
    level: parked !== undefined || segments.parked > 0 ? levels.error : levels.ok,
    task: 'uploads',
    message:
      parked !== undefined
        ? `${segments.parked} parked: ${parked.robot} ${parked.segment}: ${parked.code}: ${parked.message}`
        : `${segments.pending} segments pending, ${humanBytes(bytes.pending)}`,
    values: {
      pending: `${segments.pending}, ${humanBytes(bytes.pending)}`,
      verified: `${segments.verified}, ${humanBytes(bytes.verified)}`,
      parked: String(segments.parked),
      sending: `${humanBytes(status.transferBytesPerS)}/s`,
      'current segment':
        current === undefined ? '-' : `${current.segment} ${Math.floor(current.progress * 100)} %`,
      'oldest unsynced': status.oldestUnsyncedAt === undefined ? '-' : since(status.oldestUnsyncedAt, nowNs),
    },
  };
}

function since(timeNs: string, nowNs: bigint): string {
  return humanDuration(Math.max(0, Number((nowNs - BigInt(timeNs)) / NS_PER_MS)));
}

/** `diagnostic_msgs/msg/DiagnosticArray`; names are `node: task`, as the updater of ROS makes them. */
export function diagnosticFields(all: readonly Diagnostic[], node: string, stamp: bigint): Fields {
  return {
    header: { stamp, frame_id: '' },
    status: all.map(({ level, task, message, hardwareId, values }) => ({
      level,
      name: `${node}: ${task}`,
      message,
      hardware_id: hardwareId,
      values: Object.entries(values).map(([key, value]) => ({ key, value })),
    })),
  };
}
