import type { RowFilter } from '../../../recordings/list-segments.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import { formatTime } from '../../../core/clock.js';
import type { SegmentRow } from '../../../recordings/list-segments.js';
import type { Problem } from '../../../recordings/segments.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, humanDuration, renderTable, type Column } from '../../../host/human.js';
import { describeTags, parseTag, TAG_FORM, type Tags } from '../../../core/tags.js';
import { parseTime, TIME_FORM } from '../../../core/parse-time.js';
import { FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

/** Number of characters that identify a segment id: its number and the first random digits. */
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
/** Shown if a row has a VIN. */
const vinColumn: Column = { head: 'VIN' };
/** Shown if a row has tags. */
const tagColumn: Column = { head: 'TAGS' };

const sortOrders = ['time', 'robot', 'messages', 'bytes', 'gaps'] as const;
type SortOrder = (typeof sortOrders)[number];

const most =
  (of: (row: SegmentRow) => number) =>
  (a: SegmentRow, b: SegmentRow): number =>
    of(b) - of(a);
const byTime = (a: SegmentRow, b: SegmentRow): number => compare(timeOf(a), timeOf(b));
const compare = (a: bigint | string, b: bigint | string): number => (a < b ? -1 : a > b ? 1 : 0);
/** A row without a time, such as the open segment, is the newest. */
const timeOf = ({ firstLogTime }: SegmentRow): bigint =>
  firstLogTime === undefined ? 2n ** 64n : BigInt(firstLogTime);

/** Oldest first, names alphabetically, amounts from the largest. */
const orders: Readonly<Record<SortOrder, (a: SegmentRow, b: SegmentRow) => number>> = {
  time: byTime,
  robot: (a, b) => compare(a.robot ?? '', b.robot ?? '') || byTime(a, b),
  messages: most(({ messages = 0 }) => messages),
  bytes: most(({ bytes }) => bytes),
  gaps: most(({ gaps = 0 }) => gaps),
};

/** Interval of showing the count of a long listing. */
const LIVE_EVERY_ROWS = 1000;

export const lsCommand: CommandDefinition = {
  name: 'ls',
  summary: 'list segments with state, robot, times and counts',
  description:
    'Lists the contents of a data folder or a store, one line per segment and robot. States: open (being ' +
    'recorded), waiting (to be sealed), sealed (on this disk only), uploaded (verified in a store), ' +
    'evicted (deleted by policy, with a tombstone), deleted (on request, with a tombstone), ' +
    'quarantined (damaged), unfinished (no manifest), ' +
    'file (a recording that Holdfast did not make).',
  examples: [
    ['holdfast ls rec', 'a data folder'],
    ['holdfast ls s3://recordings/fleet-a --json', 'a store, for scripts'],
    ['holdfast ls s3://recordings/fleet-a --tag mission=m3', 'recorded while this tag held'],
    [
      'holdfast ls /mnt/nas/fleet --robots robot_1 --from-time 2026-11-21 --sort bytes --limit 20',
      'the 20 largest since a given day',
    ],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[from]', FROM_HELP)
      .option(
        '--robots <name...>',
        'only segments of these robots, by name or VIN; * stands for any text of a name',
      )
      .option('--from-time <time>', `only segments with messages at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only segments with messages at or before this')
      .option('--tag <name=value...>', 'only segments with these tags; * in a value stands for any text')
      .option('--sort <by>', `${sortOrders.join(', ')} (default: by robot and time)`)
      .option('--limit <n>', 'show at most this many');
    command.option('--no-cache', 'read every manifest of a store, without the cache');
  },
  async run(invocation) {
    const options = parseLsOptions(invocation);
    await using reading = await openReading(invocation, { storeAlone: true });
    const problems: Problem[] = [];
    const onProblem = (problem: Problem): void => {
      problems.push(problem);
      reading.onProblem(problem);
    };
    const { files, located, openCatalogue } = reading;
    const { listRows } = await import('../../../recordings/list-segments.js');
    const { signal } = invocation.stop;
    const { sort, limit } = options;
    const filter = { ...options.filter, ...(await reading.robotsNamed(options.filter.robots)) };
    const all: SegmentRow[] = [];
    let shownAt = 0;
    for await (const row of listRows(located, { files, onProblem, signal, filter, openCatalogue })) {
      all.push(row);
      // Sorting needs all rows.
      if (sort === undefined && all.length >= limit) break;
      if (all.length - shownAt < LIVE_EVERY_ROWS) continue;
      shownAt = all.length;
      invocation.terminal.live(`${humanCount(all.length)} segments ...`);
    }
    invocation.terminal.live('');
    if (sort !== undefined) all.sort(orders[sort]);
    const segments = all.slice(0, limit);
    const isTagged = segments.some(({ tags }) => tags !== undefined);
    const hasVin = segments.some(({ vin }) => vin !== undefined);
    const shown = [...columns, ...(hasVin ? [vinColumn] : []), ...(isTagged ? [tagColumn] : [])];
    const rows = segments.map((row) => [
      ...cells(row),
      ...(hasVin ? [row.vin ?? ''] : []),
      ...(isTagged ? [describeTags(row.tags ?? {})] : []),
    ]);
    for (const line of renderTable(shown, rows)) await invocation.say(line);
    await invocation.say(total(segments));
    const ok = problems.length === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, segments, problems } };
  },
};

interface LsOptions {
  readonly filter: RowFilter;
  readonly sort: SortOrder | undefined;
  readonly limit: number;
}

/** Throws `CONFIG_INVALID` with all faults. */
function parseLsOptions({ options }: Invocation): LsOptions {
  const faults: ConfigFault[] = [];
  const fault = (option: string, value: unknown, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
  };
  const time = (name: string, option: string): bigint | undefined => {
    const text = options[name] as string | undefined;
    const time = text === undefined ? undefined : parseTime(text);
    if (text !== undefined && time === undefined) fault(option, text, TIME_FORM);
    return time;
  };
  const [from, to] = [time('fromTime', 'from-time'), time('toTime', 'to-time')];
  const sort = sortOrders.find((one) => one === options['sort']);
  if (sort === undefined && options['sort'] !== undefined)
    fault('sort', options['sort'], sortOrders.join(', '));
  const limit = options['limit'] === undefined ? Number.MAX_SAFE_INTEGER : Number(options['limit']);
  if (!Number.isSafeInteger(limit) || limit < 0) fault('limit', options['limit'], 'a whole number');
  const tags = tagFilter(options['tag'] as readonly string[] | undefined, fault);
  if (faults.length > 0) throw configInvalid(faults);
  const robots = options['robots'] as readonly string[] | undefined;
  const filter = {
    ...(robots && { robots }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(tags && { tags }),
  };
  return { filter, sort, limit };
}

/** All of them must hold. */
function tagFilter(
  texts: readonly string[] | undefined,
  fault: (option: string, value: unknown, allowed: string) => void,
): Tags | undefined {
  return (
    texts &&
    Object.fromEntries(
      texts.map((text) => {
        const tag = parseTag(text);
        if (tag === undefined) fault('tag', text, TAG_FORM);
        return tag ?? (['', ''] as const);
      }),
    )
  );
}

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
