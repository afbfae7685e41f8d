import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import type { StoppedWal } from '../../recorder/stopped-wal.js';
import { describeTags } from '../../core/tags.js';
import { describeForecast, describeSendPolicy } from './describe-send-policy.js';
import { humanBytes, humanCount, humanDuration, printable, renderTable } from '../../host/human.js';

const NS_PER_MS = 1_000_000n;

/** Number of robots shown before the rest is summed up. */
const ROBOTS_MAX = 12;

function since(timeNs: string, nowMs: number): string {
  return humanDuration(Math.max(0, nowMs - Number(BigInt(timeNs) / NS_PER_MS)));
}

const label = (text: string): string => `  ${text.padEnd(12)}`;

/** The recorder in a few lines for a person. */
export function describeRecorder(status: RecorderStatus, nowMs: number): string[] {
  const { totals, rates, lossWindow, commits, queue, wal, sealed, disk } = status;
  const state = status.stalledReason ? `${status.state}: ${status.stalledReason}` : status.state;
  const reasons = Object.entries(totals.droppedByReason)
    .map(([reason, count]) => `${reason} ${humanCount(count)}`)
    .join(', ');
  return [
    `recorder   ${state}, pid ${status.pid}, for ${since(status.startedAt, nowMs)}`,
    ...status.sources.flatMap(describeSource),
    `${label('rate')}${humanCount(rates.messagesPerS)} msg/s, ${humanBytes(rates.bytesPerS)}/s`,
    `${label('received')}${humanCount(totals.received)} messages, ${humanBytes(totals.receivedBytes)}`,
    `${label('durable')}${humanCount(totals.durable)} messages, ${humanBytes(totals.durableBytes)}`,
    `${label('dropped')}${humanCount(totals.dropped)}${reasons === '' ? '' : ` (${reasons})`}`,
    ...(totals.decimated > 0
      ? [`${label('left out')}${humanCount(totals.decimated)} by rules (max_hz, every)`]
      : []),
    `${label('loss window')}${humanDuration(lossWindow.ms)}, ${humanCount(lossWindow.messages)} messages, ` +
      `${humanBytes(lossWindow.bytes)}; largest ${humanDuration(lossWindow.maxMs)}`,
    `${label('commits')}${humanCount(commits.count)}, p50 ${commits.p50Ms.toFixed(1)} ms, p99 ` +
      `${commits.p99Ms.toFixed(1)} ms${commits.failed > 0 ? `, ${commits.failed} failed` : ''}`,
    `${label('queue')}${humanBytes(queue.bytes)} of ${humanBytes(queue.maxBytes)}`,
    `${label('segment')}${humanBytes(wal.openBytes)} of ${humanBytes(wal.segmentMaxBytes)}, ` +
      `${wal.waiting} waiting to be sealed`,
    ...((wal.setAside ?? 0) === 0
      ? []
      : [
          `${label('ALARM')}${wal.setAside} segments cannot be sealed; their messages are in wal/ and in no MCAP. ` +
            `The next start tries again. ${printable(wal.setAsideError ?? '')}`,
        ]),
    `${label('sealed')}${sealed.segments} segments, ${humanBytes(sealed.bytes)}`,
    ...describeRecipients(status.encryptedFor),
    ...describeBeforeSealing(status),
    `${label('disk')}${humanBytes(disk.freeBytes)} of ${humanBytes(disk.totalBytes)} free` +
      (disk.evictedSegments > 0 ? `, ${disk.evictedSegments} segments evicted` : ''),
    ...describeTagLine(status),
    ...describeAnomalies(status),
    ...describeRobots(status),
  ];
}

function describeRecipients(recipients: readonly string[] | undefined): string[] {
  return recipients === undefined ? [] : [`${label('encrypted')}for ${recipients.map(printable).join(', ')}`];
}

/** Without recipients nothing is encrypted, before sealing or after. */
function describeBeforeSealing({ encryptedFor, atRestKeyName: name }: RecorderStatus): string[] {
  if (name !== undefined) return [`${label('')}before sealing with ${printable(name)}`];
  return encryptedFor === undefined ? [] : [`${label('')}not before sealing (encryption.at_rest_key)`];
}

/** What a recorder that does not run has left in `wal/`; nothing if it has left nothing. */
export function describeStoppedWal({
  segments,
  unencrypted,
  atRestKeyNames,
  problems,
}: StoppedWal): string[] {
  const keys = atRestKeyNames.map(printable).join(', ');
  const rest = `${humanCount(unencrypted)} of ${humanCount(segments)} segments in wal/ are not encrypted`;
  return [
    ...(segments === 0 ? [] : [`${label('segments')}${humanCount(segments)} waiting to be sealed`]),
    ...(keys === '' ? [] : [`${label('encrypted')}before sealing with ${keys}`]),
    ...(keys === '' || unencrypted === 0 ? [] : [`${label('')}${rest}`]),
    ...problems.map((problem) => `${label('PROBLEM')}${printable(problem)}`),
  ];
}

function describeTagLine({ tags = {} }: RecorderStatus): string[] {
  const text = describeTags(tags);
  return text === '' ? [] : [`${label('tags')}${printable(text)}`];
}

function describeAnomalies({ anomalies }: RecorderStatus): string[] {
  if (anomalies === undefined) return [];
  const seen = anomalies.rules.filter((rule) => rule.seen > 0);
  const sum = (value: (rule: (typeof seen)[number]) => number): number =>
    seen.reduce((total, rule) => total + value(rule), 0);
  return [
    `${label('anomalies')}${humanCount(sum((rule) => rule.seen))} by ${anomalies.rules.length} rules, ` +
      `${humanCount(sum((rule) => rule.marked))} marked, ${humanCount(anomalies.skipped)} messages skipped`,
    ...seen.map(({ rule, seen: count, last }) => {
      const text = `${printable(rule)}: ${humanCount(count)}, the last one: ${printable(last ?? '')}`;
      return `${label('')}${text}`;
    }),
  ];
}

function describeSource({ uri, state, detail, stats }: RecorderStatus['sources'][number]): string[] {
  const line = `${label('source')}${printable(uri)} ${state}${detail ? ` (${printable(detail)})` : ''}`;
  if (!stats) return [line];
  const counts: readonly (readonly [name: string, value: number | undefined])[] = [
    ['lag', stats.lagMessages],
    ['unacknowledged', stats.unacknowledgedMessages],
    ['acknowledged', stats.acknowledgedMessages],
    ['redelivered', stats.redeliveredMessages],
    ['duplicates', stats.duplicateMessages],
    ['dead letters', stats.deadLetters],
    ['silent topics', stats.silentTopics],
    ['subscribed again', stats.resubscriptions],
  ];
  const told = counts.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${humanCount(value)}`],
  );
  return [line, `${label('')}${told.join(', ')}`];
}

function describeRobots({ robots }: RecorderStatus): string[] {
  if (robots.length === 0) return [];
  const rows = robots
    .slice(0, ROBOTS_MAX)
    .map((one) => [
      `  ${one.robot}`,
      humanCount(one.channels),
      humanCount(one.received),
      humanCount(one.durable),
      humanCount(one.dropped),
      humanCount(one.messagesPerS),
      `${humanBytes(one.bytesPerS)}/s`,
    ]);
  const right = true;
  const table = renderTable(
    [
      { head: '  robot' },
      { head: 'channels', right },
      { head: 'received', right },
      { head: 'durable', right },
      { head: 'dropped', right },
      { head: 'msg/s', right },
      { head: 'rate', right },
    ],
    rows,
  );
  const rest = robots.length - rows.length;
  return rest > 0 ? [...table, `  and ${rest} more`] : table;
}

/** What was changed on the way to a store. */
function describeTransforms(stats: SyncStatus['transforms'], name: (text: string) => string): string[] {
  if (stats === undefined) return [];
  const { segments, bytesIn, bytesOut, failed, parked } = stats;
  const failures =
    failed === 0 && parked === 0
      ? ''
      : `, ${failed} attempts FAILED, ${parked} segments parked (sync.transform)`;
  return [
    `${name('changed')}${segments} segments, payloads of ${humanBytes(bytesIn)} to ${humanBytes(bytesOut)}${failures}`,
  ];
}

/** Sync in a few lines for a person. */
export function describeSync(status: SyncStatus, nowMs: number): string[] {
  const { segments, bytes, current } = status;
  const retry =
    status.nextRetryInMs === undefined ? '' : `, next try in ${humanDuration(status.nextRetryInMs)}`;
  return [
    `sync       ${status.link} for ${since(status.linkSince, nowMs)}${retry}, pid ${status.pid}`,
    `${label('store')}${printable(status.store)}` +
      (status.storeRefuses === undefined
        ? ''
        : ` (refuses ${status.storeRefuses.what} since ${since(status.storeRefuses.since, nowMs)}: uploads carry none)`),
    ...describeRecipients(status.encryptedFor),
    ...describeTransforms(status.transforms, label),
    `${label('verified')}${segments.verified} segments, ${humanBytes(bytes.verified)}`,
    `${label('pending')}${segments.pending} segments, ${humanBytes(bytes.pending)}` +
      ((segments.retrying ?? 0) === 0
        ? ''
        : `, ${segments.retrying} of them failed and will be tried again`) +
      (status.oldestUnsyncedAt === undefined ? '' : `, oldest ${since(status.oldestUnsyncedAt, nowMs)} old`),
    ...((segments.held ?? 0) === 0
      ? []
      : [
          `${label('kept here')}${segments.held} segments, ${humanBytes(bytes.held ?? 0)}, by policy ` +
            `(sync.upload: ${status.uploadPolicy ?? ''})`,
        ]),
    ...(status.sinks === undefined ? describeSendPolicy(status.sendPolicy, label, nowMs) : []),
    ...describeForecast(status.forecast, label),
    `${label('sending')}${humanBytes(status.transferBytesPerS)}/s` +
      (current === undefined
        ? ''
        : `, ${printable(current.robot)} ${printable(current.segment)} ${Math.floor(current.progress * 100)} %`) +
      (status.etaMs === undefined ? '' : `, about ${humanDuration(status.etaMs)} left`),
    ...(status.resumedUploads > 0 || bytes.resent > 0
      ? [`${label('resumed')}${status.resumedUploads} uploads, ${humanBytes(bytes.resent)} sent again`]
      : []),
    ...(status.lastError === undefined
      ? []
      : [`${label('errors')}${status.uploadErrors}, last: ${printable(status.lastError)}`]),
    ...(status.sinks ?? []).flatMap(
      ({ name, store, link, required, segments: { verified, pending, parked }, sendPolicy, transforms }) => [
        `${label('sink')}${name}${required ? '' : ' (not required)'} ${printable(store)} ${link}: ${verified} verified, ` +
          `${pending} pending${parked > 0 ? `, ${parked} PARKED` : ''}`,
        ...describeTransforms(transforms, (text) => `  ${label(text)}`),
        ...describeSendPolicy(sendPolicy, (text) => `  ${label(text)}`, nowMs),
      ],
    ),
    ...status.alarms.map(({ robot, segment, code, message }) =>
      segment === ''
        ? `${label('ALARM')}${code}: ${printable(message)}`
        : `${label(code === 'OBJECT_MISSING' ? 'MISSING' : 'PARKED')}${printable(robot)} ${printable(segment)}: ${code}: ${printable(message)}`,
    ),
  ];
}
