import { renderTable } from '../../src/app/cli/human.js';
import { median } from '../measure.js';
import { killCase, MAX_CPU_RATIO, NO_LOSS_AT } from './cases.js';
import { recorderNames, type RecorderName } from './recorders.js';
import type { CaseResult, KillResult } from './run-case.js';

type All<T> = Readonly<Record<RecorderName, readonly T[]>>;

/** Besides the loss window the recorder states: from publish() to its queue, and from the kill to the count. */
const KILL_SLACK_MS = 100;

const of = <T>(list: readonly T[], value: (one: T) => number | undefined): number | undefined => {
  const numbers = list.map(value).filter((each): each is number => each !== undefined);
  return numbers.length === 0 ? undefined : median(numbers);
};
const sum = <T>(list: readonly T[], value: (one: T) => number): number =>
  list.reduce((total, one) => total + value(one), 0);

/** Targets a load missed, in words. */
export function judgeCase(
  name: string,
  { holdfast, 'holdfast-late': late, rosbag2 }: All<CaseResult>,
): string[] {
  const misses: string[] = [];
  const [ours, theirs] = [sum(holdfast, ({ lost }) => lost), sum(rosbag2, ({ lost }) => lost)];
  if (ours > 0 && (theirs <= 0 || name === NO_LOSS_AT)) {
    misses.push(`${name}: ${ours} of ${sum(holdfast, (one) => one.published)} lost, rosbag2 ${theirs}`);
  }
  const ratio = cpuRatio(holdfast, rosbag2);
  if (ratio > MAX_CPU_RATIO) {
    const without = late.length > 0 ? ` (${cpuRatio(late, rosbag2).toFixed(2)} without sealing)` : '';
    misses.push(
      `${name}: CPU per message ${ratio.toFixed(2)} of rosbag2's${without}, target ${MAX_CPU_RATIO}`,
    );
  }
  return misses;
}

/** Per recorded message, while the load ran. */
function cpuRatio(list: readonly CaseResult[], rosbag2: readonly CaseResult[]): number {
  const per = (each: readonly CaseResult[]): number => of(each, (one) => one.cpuUsPerMessage) ?? 0;
  return per(list) / Math.max(1e-9, per(rosbag2));
}

/** Targets missed after the kill, in words. */
export function judgeKill({ holdfast }: All<KillResult>): string[] {
  return holdfast.flatMap(({ lost, maxLossWindowMs = 0 }) => {
    const allowed = Math.ceil(((maxLossWindowMs + KILL_SLACK_MS) / 1_000) * killCase.perS);
    return lost <= allowed ? [] : [`${killCase.name}: ${lost} lost, the last commit window holds ${allowed}`];
  });
}

export function renderCases(results: ReadonlyMap<string, All<CaseResult>>): string[] {
  const heads = [
    ['load', false],
    ['recorder', false],
    ['published', true],
    ['lost', true],
    ['lost %', true],
    ['us CPU/msg', true],
    ['ratio', true],
    ['after', true],
    ['peak MB', true],
    ['commit p50', true],
    ['p99 ms', true],
    ['window ms', true],
    ['held up ms', true],
  ] as const;
  const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
  const rows = [...results].flatMap(([name, all]) =>
    recorderNames
      .filter((recorder) => all[recorder].length > 0)
      .map((recorder, index) => {
        const list = all[recorder];
        const lost = of(list, (one) => one.lost);
        return [
          index === 0 ? name : '',
          recorder,
          fixed(
            of(list, (one) => one.published),
            0,
          ),
          fixed(lost, 0),
          fixed(
            of(list, (one) => (100 * one.lost) / Math.max(1, one.published)),
            2,
          ),
          fixed(
            of(list, (one) => one.cpuUsPerMessage),
            1,
          ),
          cpuRatio(list, all.rosbag2).toFixed(2),
          fixed(
            of(list, (one) => one.afterCpuUsPerMessage),
            1,
          ),
          fixed(
            of(list, (one) => one.peakMb),
            0,
          ),
          fixed(
            of(list, (one) => one.commitP50Ms),
            1,
          ),
          fixed(
            of(list, (one) => one.commitP99Ms),
            1,
          ),
          fixed(
            of(list, (one) => one.maxLossWindowMs),
            0,
          ),
          fixed(
            of(list, (one) => one.heldUpMs),
            0,
          ),
        ];
      }),
  );
  const about =
    'Medians. CPU per recorded message of the process tree while the load ran; "after": from its end until the ' +
    'recorder had ended (sealing, flushing). "held up": the publisher, in publish(). holdfast-late: with segments so ' +
    'large that none is sealed while the load runs.';
  return [
    '',
    ...renderTable(
      heads.map(([head, right]) => ({ head, right })),
      rows,
    ),
    about,
  ];
}

export function renderKill(kills: All<KillResult>): string[] {
  const heads = ['recorder', 'published', 'readable', 'lost', 'bytes on disk', 'window ms', ''];
  const rows = recorderNames.flatMap((name) =>
    kills[name].map((one) => [
      name,
      String(one.published),
      String(one.recorded),
      String(one.lost),
      String(one.fileBytes),
      one.maxLossWindowMs?.toFixed(0) ?? '',
      one.note ?? '',
    ]),
  );
  const table = renderTable(
    heads.map((head, index) => ({ head, right: index > 0 && index < 6 })),
    rows,
  );
  return ['', killCase.name, ...table];
}
