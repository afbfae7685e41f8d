import { humanBytes, humanCount, humanDuration, renderTable } from '../../host/human.js';
import type { DemoResult } from './demo-result.js';

const BAR_WIDTH = 60;

/** The report at the end. */
export function demoReport(result: DemoResult): string[] {
  return [
    '',
    headline(result),
    '',
    ...story(result),
    '',
    ...robotTable(result),
    '',
    ...facts(result),
    '',
    ...verdict(result),
  ];
}

function headline({ robots, durationMs, unreachableMs, bytes }: DemoResult): string {
  return (
    `${Object.keys(robots).length} robots drove for ${humanDuration(durationMs)}; ` +
    `the store was out of reach for ${humanDuration(unreachableMs)}; ${humanBytes(bytes)} arrived.`
  );
}

/** The events on a time line. */
function story({ events, durationMs }: DemoResult): string[] {
  const lines = events.map(({ atMs, what }) => `  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${what}`);
  const marks = Array.from({ length: BAR_WIDTH }, () => '─');
  for (const { atMs } of events) {
    const at = Math.min(BAR_WIDTH - 1, Math.floor((atMs / durationMs) * BAR_WIDTH));
    if (at >= 0) marks[at] = '┼';
  }
  return [`  0 s ${marks.join('')} ${humanDuration(durationMs)}`, '', ...lines];
}

function robotTable({ robots, ...total }: DemoResult): string[] {
  const head = [
    'robot',
    'sent',
    'durable',
    'dropped',
    'lost in kill',
    'missed while down',
    'in the store',
    'missing',
  ];
  const row = (
    name: string,
    a: Pick<
      DemoResult,
      'sent' | 'durable' | 'dropped' | 'lostInKill' | 'missedWhileDown' | 'uploaded' | 'missing'
    >,
  ): string[] => [
    name,
    ...[a.sent, a.durable, a.dropped, a.lostInKill, a.missedWhileDown, a.uploaded, a.missing].map(humanCount),
  ];
  const rows = Object.entries(robots).map(([name, account]) => row(name, account));
  const columns = head.map((text, index) => ({ head: text, right: index > 0 }));
  return renderTable(columns, [...rows, row('all', total)]).map((line) => `  ${line}`);
}

function facts(result: DemoResult): string[] {
  const reasons = Object.entries(result.droppedByReason).map(
    ([reason, count]) => `${humanCount(count)} ${reason}`,
  );
  const rows: [string, string][] = [
    ['balance', `${sum(result)} = ${humanCount(result.sent)} sent`],
    ['drops', reasons.length > 0 ? reasons.join(', ') : 'none'],
    ['loss window', `at most ${humanDuration(result.maxLossWindowMs)} from receipt to fsync`],
    [
      'the kill',
      result.lostInKill > 0
        ? `${humanCount(result.lostInKill)} messages of the last ${humanDuration(result.lostSpanMs)} were received and not yet durable`
        : 'nothing received was lost',
    ],
    ['objects', `${result.verified} of ${result.objects} verified, ${humanBytes(result.bytes)}`],
    ['uploads', `${result.resumedUploads} resumed, ${humanBytes(result.bytesResent)} sent twice`],
  ];
  return rows.map(([name, text]) => `  ${name.padEnd(12)} ${text}`);
}

function sum(result: DemoResult): string {
  const { durable, dropped, lostInKill, missedWhileDown, missing } = result;
  const terms = [
    `${humanCount(durable)} durable`,
    `${humanCount(dropped)} dropped`,
    `${humanCount(lostInKill)} lost in the kill`,
    `${humanCount(missedWhileDown)} missed while down`,
    ...(missing > 0 ? [`${humanCount(missing)} MISSING`] : []),
  ];
  return terms.join(' + ');
}

function verdict(result: DemoResult): string[] {
  const where = result.kept
    ? [`  The recording is in ${result.store} (any .mcap there opens in Foxglove by itself).`]
    : ['  Run it again with --keep to look at the recording.'];
  if (result.ok) return ['  Every message is accounted for, each stored one exactly once.', ...where];
  return ['  NOT IN ORDER:', ...result.findings.map((finding) => `    - ${finding}`), ...where];
}
