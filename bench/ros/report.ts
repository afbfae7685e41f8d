import { renderTable } from '../../src/host/human.js';
import { median } from '../measure.js';
import { DISK_HEADROOM, killCase, type Case } from './cases.js';
import { cpuUses, type CpuSplit } from './cpu-split.js';
import { recorderNames } from './recorders.js';
import type { CaseResult, KillResult } from './run-case.js';
import type { All, MiddlewareResults } from './run-round.js';

/** Besides the loss window the recorder states: from publish() to its queue, and from the kill to the count. */
const KILL_SLACK_MS = 100;
/** Target for the largest commit latency but one in a hundred. */
const COMMIT_P99_MS = 50;

const of = <T>(list: readonly T[], value: (one: T) => number | undefined): number | undefined => {
  const numbers = list.map(value).filter((each): each is number => each !== undefined);
  return numbers.length === 0 ? undefined : median(numbers);
};
const sum = <T>(list: readonly T[], value: (one: T) => number): number =>
  list.reduce((total, one) => total + value(one), 0);

/** The targets that were missed on one middleware, in words. */
export function judge({ middleware, cases, kills }: MiddlewareResults, diskBytesPerS: number): string[] {
  const misses = [...cases].flatMap(([load, all]) => judgeCase(load, all, diskBytesPerS));
  return [...misses, ...judgeKill(kills)].map((miss) => `${middleware}: ${miss}`);
}

function judgeCase(load: Case, all: All<CaseResult>, diskBytesPerS: number): string[] {
  const { holdfast, 'holdfast-late': late, rosbag2, floor } = all;
  const { name, ofRosbag2, ofFloor, maxPeakMb } = load;
  const misses: string[] = [];
  const lost = sum(holdfast, (one) => one.lost);
  const isWithinDisk = load.sizeBytes * load.perS * DISK_HEADROOM <= diskBytesPerS;
  if (lost > 0 && isWithinDisk) {
    const theirs = sum(rosbag2, (one) => one.lost);
    misses.push(`${name}: ${lost} of ${sum(holdfast, (one) => one.published)} lost, rosbag2 ${theirs}`);
  }
  const ratio = cpuRatio(holdfast, rosbag2);
  if (rosbag2.length > 0 && ratio > ofRosbag2) {
    const without = late.length > 0 ? ` (${cpuRatio(late, rosbag2).toFixed(2)} without sealing)` : '';
    misses.push(`${name}: CPU per message ${ratio.toFixed(2)} of rosbag2's${without}, target ${ofRosbag2}`);
  }
  const toFloor = cpuRatio(holdfast, floor);
  if (ofFloor !== undefined && floor.length > 0 && toFloor > ofFloor) {
    misses.push(`${name}: CPU per message ${toFloor.toFixed(2)} of the floor's, target ${ofFloor}`);
  }
  const peak = of(holdfast, (one) => one.peakMb) ?? 0;
  if (maxPeakMb !== undefined && peak > maxPeakMb) {
    misses.push(`${name}: ${peak.toFixed(0)} MB resident, target ${maxPeakMb}`);
  }
  const p99 = of(holdfast, (one) => one.commitP99Ms) ?? 0;
  if (p99 > COMMIT_P99_MS) misses.push(`${name}: commit p99 ${p99.toFixed(0)} ms, target ${COMMIT_P99_MS}`);
  return misses;
}

/** Per recorded message, while the load ran. */
function cpuRatio(list: readonly CaseResult[], beside: readonly CaseResult[]): number {
  const per = (each: readonly CaseResult[]): number => of(each, (one) => one.cpuUsPerMessage) ?? 0;
  return per(list) / Math.max(1e-9, per(beside));
}

function judgeKill({ holdfast }: All<KillResult>): string[] {
  return holdfast.flatMap(({ lost, maxLossWindowMs = 0 }) => {
    const allowed = Math.ceil(((maxLossWindowMs + KILL_SLACK_MS) / 1_000) * killCase.perS);
    return lost <= allowed ? [] : [`${killCase.name}: ${lost} lost, the last commit window holds ${allowed}`];
  });
}

const caseHeads = [
  ['load', false],
  ['recorder', false],
  ['published', true],
  ['lost', true],
  ['lost %', true],
  ['us CPU/msg', true],
  ['of rosbag2', true],
  ['of floor', true],
  ['after', true],
  ['peak MB', true],
  ['commit p50', true],
  ['p99 ms', true],
  ['window ms', true],
  ['held up ms', true],
] as const;

/** The cells of one recorder under one load, behind its name. */
function caseCells(list: readonly CaseResult[], { rosbag2, floor }: All<CaseResult>): string[] {
  const cell = (value: (one: CaseResult) => number | undefined, digits: number): string =>
    of(list, value)?.toFixed(digits) ?? '';
  return [
    cell((one) => one.published, 0),
    cell((one) => one.lost, 0),
    cell((one) => (100 * one.lost) / Math.max(1, one.published), 2),
    cell((one) => one.cpuUsPerMessage, 1),
    rosbag2.length === 0 ? '' : cpuRatio(list, rosbag2).toFixed(2),
    floor.length === 0 ? '' : cpuRatio(list, floor).toFixed(2),
    cell((one) => one.afterCpuUsPerMessage, 1),
    cell((one) => one.peakMb, 0),
    cell((one) => one.commitP50Ms, 1),
    cell((one) => one.commitP99Ms, 1),
    cell((one) => one.maxLossWindowMs, 0),
    cell((one) => one.heldUpMs, 0),
  ];
}

/** The tables of one middleware. */
export function render({ middleware, cases, kills, splits }: MiddlewareResults): string[] {
  return [
    '',
    `On ${middleware}`,
    ...(cases.size > 0 ? renderCases(cases) : []),
    ...(splits.size > 0 ? renderSplits(splits) : []),
    ...(kills.holdfast.length > 0 ? renderKill(kills) : []),
  ];
}

/** Where the processor time of Holdfast goes, in percent of its samples. */
function renderSplits(splits: ReadonlyMap<Case, CpuSplit>): string[] {
  const heads = ['% of CPU', ...cpuUses].map((head, index) => ({ head, right: index > 0 }));
  const rows = [...splits].map(([{ name }, split]) => [
    name,
    ...cpuUses.map((use) => (100 * split[use]).toFixed(0)),
  ]);
  return [
    '',
    ...renderTable(heads, rows),
    'Sampled in a run of its own. "JavaScript": with WebAssembly (zstd).',
  ];
}

function renderCases(results: ReadonlyMap<Case, All<CaseResult>>): string[] {
  const rows = [...results].flatMap(([{ name }, all]) =>
    recorderNames
      .filter((recorder) => all[recorder].length > 0)
      .map((recorder, index) => [index === 0 ? name : '', recorder, ...caseCells(all[recorder], all)]),
  );
  const about =
    'Medians. CPU per recorded message of the process tree while the load ran; "after": from its end until the ' +
    'recorder had ended (sealing, flushing). "held up": the publisher, in publish(). holdfast-late: with segments so ' +
    'large that none is sealed while the load runs. floor: the least that a durable recorder costs.';
  return [
    '',
    ...renderTable(
      caseHeads.map(([head, right]) => ({ head, right })),
      rows,
    ),
    about,
  ];
}

function renderKill(kills: All<KillResult>): string[] {
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
