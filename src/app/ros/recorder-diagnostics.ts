import type { AnomalyStatus, RecorderStatus } from '../../core/status.js';
import { humanBytes, humanCount, humanDuration } from '../../host/human.js';
import { levels, type Diagnostic, type DiagnosticPart } from './diagnostic.js';

/** A counter that grew within this time is reported; older losses are history. */
const RECENT_MS = 60_000;
/** Margin beyond what the settings allow. */
const LOSS_WINDOW_WARN_MS = 1_000;
const LOSS_WINDOW_ERROR_MS = 10_000;
/** Number of robots with an entry of their own. */
const ROBOTS_MAX = 64;
/** Number of topics with problems that are named. */
const PROBLEMS_MAX = 50;

/** The expected values by the settings of a recorder. */
export interface RecorderExpectations {
  /** Robot of the node itself. */
  readonly robot: string;
  /** Expected age of a message before it is durable, ms: the batch's and the interval's. */
  readonly lossWindowMs: number;
  /** Free disk space to keep: the smaller of the two. */
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
}

/** Conditions that keep the recording of a source incomplete while they last. */
export interface SourceProblem {
  readonly kind: string;
  readonly topic: string;
  readonly detail: string;
}

/** Remembers when counters last grew. */
export class RecentGrowth {
  readonly #seen = new Map<string, { value: number; grewAtMs: number }>();

  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether the counter grew within the last minute; its first value is not growth. */
  grew(name: string, value: number): boolean {
    const now = this.#nowMs();
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
    ...(status.anomalies === undefined ? [] : [anomaliesDiagnostic(status.anomalies, recent)]),
  ].map((one) => ({ ...one, hardwareId: expected.robot }));
  const robots = status.robots.filter(({ robot }) => robot !== expected.robot || status.robots.length > 1);
  // A robot's drops have no reasons: they are reported only while there are unwanted ones.
  const areNew = all.some(({ task, level }) => task === 'drops' && level !== levels.ok);
  return [...all, ...robots.slice(0, ROBOTS_MAX).map((one) => robotDiagnostic(one, recent, areNew))];
}

function recordingDiagnostic(status: RecorderStatus): DiagnosticPart {
  const { state, stalledReason, rates } = status;
  const isIdle = state === 'paused' || state === 'inactive' || state === 'stopped';
  // A reason without a stall: it did not reach the requested state.
  const { setAside = 0, setAsideError = '' } = status.wal;
  const isBad = state === 'stalled' || stalledReason !== undefined || setAside > 0;
  const level = isBad ? levels.error : isIdle ? levels.warn : levels.ok;
  return {
    level,
    task: 'recording',
    message:
      stalledReason === undefined
        ? isIdle
          ? `${state}: nothing is recorded`
          : setAside > 0
            ? `${setAside} segments cannot be sealed, their messages are in no MCAP: ${setAsideError}`
            : state
        : `${state}: ${stalledReason}`,
    values: {
      state,
      rate: `${humanCount(rates.messagesPerS)} msg/s, ${humanBytes(rates.bytesPerS)}/s`,
      received: humanCount(status.totals.received),
      durable: humanCount(status.totals.durable),
      'sealed segments': String(status.sealed.segments),
      'segments waiting to be sealed': String(status.wal.waiting),
      'segments that cannot be sealed': String(setAside),
      'data folder': status.dataFolder,
    },
  };
}

function durabilityDiagnostic(
  { lossWindow, commits }: RecorderStatus,
  expected: RecorderExpectations,
  recent: RecentGrowth,
): DiagnosticPart {
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

function dropsDiagnostic({ totals, queue }: RecorderStatus, recent: RecentGrowth): DiagnosticPart {
  // Messages refused by a pause were refused on purpose; the pause itself is reported elsewhere.
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

function diskDiagnostic(
  { disk, stalledReason }: RecorderStatus,
  expected: RecorderExpectations,
): DiagnosticPart {
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

function sourcesDiagnostic({ sources, state }: RecorderStatus): DiagnosticPart {
  const failed = sources.filter((one) => one.state === 'failed');
  const waiting = sources.filter((one) => one.state === 'waiting' || one.state === 'connecting');
  // Problems of an open source concern a part of it.
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

function topicsDiagnostic({ robots }: RecorderStatus, problems: readonly SourceProblem[]): DiagnosticPart {
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

function anomaliesDiagnostic(
  { rules, skipped, failedMarks }: AnomalyStatus,
  recent: RecentGrowth,
): DiagnosticPart {
  // Every rule is evaluated: each remembers its own growth.
  const [first] = rules.filter(({ rule, seen }) => recent.grew(`anomalies of ${rule}`, seen));
  return {
    level: first === undefined ? levels.ok : levels.warn,
    task: 'anomalies',
    message:
      first === undefined
        ? `none within the last minute, ${rules.length} rules`
        : `within the last minute: ${first.rule}: ${first.last ?? ''}`,
    values: {
      ...Object.fromEntries(
        rules.map(({ rule, seen, marked }) => [
          rule,
          `${humanCount(seen)} seen, ${humanCount(marked)} marked as events`,
        ]),
      ),
      'marks that failed': humanCount(failedMarks),
      'messages not looked into': humanCount(skipped),
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
