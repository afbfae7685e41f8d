import { formatTime } from '../../../core/clock.js';
import type { SegmentRow } from '../../reading/list-segments.js';
import type { Problem } from '../../reading/segments.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes, humanCount, humanDuration, renderTable, type Column } from '../human.js';
import { FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

/** Characters of a segment id that tell it apart: its number and the first of its random digits. */
const SHORT_ID_CHARS = 21;

const columns: readonly Column[] = [
  { head: 'STATE' },
  { head: 'ROBOT' },
  { head: 'FIRST' },
  { head: 'SPAN', right: true },
  { head: 'MESSAGES', right: true },
  { head: 'CHANNELS', right: true },
  { head: 'BYTES', right: true },
  { head: 'GAPS', right: true },
  { head: 'SEGMENT' },
];

export const lsCommand: CommandDefinition = {
  name: 'ls',
  summary: 'list segments with state, robot, times and counts',
  description:
    'Lists what a data folder or a store holds, one line per segment and robot. States: open (being ' +
    'recorded), waiting (to be sealed), sealed (on this disk only), uploaded (a store holds it, verified), ' +
    'evicted (deleted by policy, a tombstone is left), quarantined (damaged), unfinished (no manifest), ' +
    'file (a recording that is not Holdfast’s).',
  examples: [
    ['holdfast ls rec', 'a data folder'],
    ['holdfast ls s3://recordings/fleet-a --json', 'a store, for scripts'],
  ],
  parameters: readingParameters,
  configure(command) {
    command.argument('[from]', FROM_HELP);
  },
  async run(invocation) {
    await using reading = await openReading(invocation, { storeAlone: true });
    const problems: Problem[] = [];
    const onProblem = (problem: Problem): void => {
      problems.push(problem);
      reading.onProblem(problem);
    };
    const segments: SegmentRow[] = [];
    const { files, located } = reading;
    const { listRows } = await import('../../reading/list-segments.js');
    for await (const row of listRows(located, { files, onProblem, signal: invocation.stop.signal })) {
      segments.push(row);
    }
    for (const line of renderTable(columns, segments.map(cells))) await invocation.say(line);
    await invocation.say(total(segments));
    const ok = problems.length === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, segments, problems } };
  },
};

function cells(row: SegmentRow): string[] {
  const { firstLogTime: first, lastLogTime: last } = row;
  const count = (value: number | undefined): string => (value === undefined ? '' : humanCount(value));
  return [
    row.uncleanEnd ? `${row.state} (unclean)` : row.state,
    row.robot ?? '',
    first === undefined ? '' : `${formatTime(BigInt(first)).slice(0, 19)}Z`,
    first === undefined || last === undefined
      ? ''
      : humanDuration(Number(BigInt(last) - BigInt(first)) / 1e6),
    count(row.messages),
    count(row.channels),
    humanBytes(row.bytes),
    count(row.gaps),
    row.state === 'file' ? row.segment : row.segment.slice(0, SHORT_ID_CHARS),
  ];
}

function total(rows: readonly SegmentRow[]): string {
  const messages = rows.reduce((sum, row) => sum + (row.messages ?? 0), 0);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  return `${humanCount(rows.length)} segments, ${humanCount(messages)} messages, ${humanBytes(bytes)}`;
}
