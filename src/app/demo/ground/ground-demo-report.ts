import { humanCount, humanDuration, renderTable } from '../../../host/human.js';
import type { FieldComparison } from './compare-history.js';
import type { GroundDemoResult } from './run-ground-demo.js';

const HEADS = ['robot', 'field', 'threshold', 'samples', 'compared', 'worst', 'outside', 'missing', 'twice'];

/** The report at the end: a row for each robot and field. */
export function groundDemoReport(result: GroundDemoResult): string[] {
  const { robots, durationMs, kills, segments, catalogued } = result;
  const columns = HEADS.map((head, index) => ({ head, right: index > 1 }));
  const beforeKill = result.fields.reduce((sum, one) => sum + one.beforeKill, 0);
  return [
    '',
    `${robots.length} vehicles drove for ${humanDuration(durationMs)}. kill -9: ${kills.robots} of robots, ` +
      `${kills.ground} of the ground, ${kills.database} of its database.`,
    '',
    ...renderTable(columns, result.fields.map(rowOf)).map((line) => `  ${line}`),
    '',
    '  worst: the largest distance between ground and recording, as a share of the threshold.',
    `  not compared: ${humanCount(beforeKill)} samples of messages that came last before an end or a kill.`,
    `  catalogue: ${humanCount(catalogued)} of ${humanCount(segments)} segments.`,
    '',
    ...verdictOf(result),
  ];
}

function rowOf(one: FieldComparison): string[] {
  const { robot, topic, path, unit, threshold, stored, compared, worst, outside, holes, twice } = one;
  const name = `${topic.replace(`/${robot}/`, '')}.${path}`;
  const counts = [outside, holes, twice].map(humanCount);
  const share = Number.isFinite(worst) ? `${Math.round(100 * worst)} %` : '-';
  return [robot, name, `${threshold} ${unit}`, humanCount(stored), humanCount(compared), share, ...counts];
}

function verdictOf({ ok, findings, folder, kept }: GroundDemoResult): string[] {
  const where = kept ? [`  Everything is in ${folder}.`] : ['  Run it again with --keep to keep the data.'];
  if (ok)
    return [
      '  The history of the ground matches the recordings within the thresholds, without a hole,',
      '  and every segment is in the catalogue.',
      ...where,
    ];
  return ['  NOT IN ORDER:', ...findings.map((finding) => `    - ${finding}`), ...where];
}
