import { defined } from '../../core/defined.js';
import { formatTime, type Clock } from '../../core/clock.js';
import type { GapJson } from '../../core/gap.js';
import type { Store } from '../../core/store.js';
import { BlockCache } from '../../core/mcap/block-cache.js';
import { CarriedFilter } from '../../core/mcap/carried.js';
import type { ReportData } from '../../exporters/report/report-data.js';
import { robotOf } from '../export/export-groups.js';
import { inspectSegments, type InspectedSegment } from '../export/inspect.js';
import type { FilePool } from '../../recordings/file-readable.js';
import type { Located } from '../../recordings/locate.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import { matches, wantsChannel, type MessageFilter } from '../../recordings/message-filter.js';
import type { Keyring } from '../../encryption/keyring.js';
import { listSegments, type OpenCatalogue, type Segment } from '../../recordings/segments.js';
import { eventMarks } from './event-facts.js';
import { gapFacts } from './gap-facts.js';
import type { ProblemList } from './problem-list.js';
import { recordingFacts, type RecordingFacts } from './recording-facts.js';
import { nameOption, ReportBoard } from './report-board.js';
import type { ReportOptions } from './report-options.js';
import { clockSteps, sessionFacts } from './session-facts.js';
import { tagFacts } from './tag-facts.js';
import { storageFacts } from './storage-facts.js';
import { TimeSpan } from './time-span.js';
import { transformFacts } from './transform-facts.js';

export interface ReportRequest {
  readonly from: string;
  readonly located: Located;
  readonly files: FilePool;
  /** With a data folder: the store for evicted segments. */
  readonly store?: Store;
  /** The remembered manifests of a store. */
  readonly openCatalogue?: OpenCatalogue;
  /** For encrypted segments. */
  readonly keyring?: Keyring;
  readonly options: ReportOptions;
  /** Problems so far, and later ones. */
  readonly problems: ProblemList;
  readonly clock: Clock;
  /** Of the product. */
  readonly version: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

const PROGRESS_EVERY = 4_096;
const CACHE_BYTES = 24 * 1024 * 1024;

/** Reads the selected messages once, in bounded memory, and collects the data of a report. */
export async function collectReport(request: ReportRequest): Promise<ReportData> {
  const { options, problems, signal, located, files, store, openCatalogue } = request;
  const { filter } = options;
  // Messages outside of the range are not read.
  const ports = { files, onProblem: problems.add, signal, filter, ...(openCatalogue && { openCatalogue }) };
  const facts = await recordingFacts(located, ports);
  const segments = await listSegments(located, { ...ports, ...defined({ store, keyring: request.keyring }) });
  // A segment that cannot be opened is reported when it is read.
  const inspected = await inspectSegments(segments, { filter, onProblem: () => {}, signal });
  const span = spanOf(inspected, facts, filter);
  const wanted = (robot: string): boolean => matches(filter.robots, robot);
  const robots = robotsOf(inspected, facts, options).filter(wanted);
  const board = new ReportBoard(options, problems, robots, span ?? new TimeSpan(0n, 0n));
  for (const { channels, robot } of inspected) {
    for (const channel of channels) board.announce(channel, robot);
  }
  await readAll(request, segments, board, inspected);
  const topics = board.topics();
  for (const wish of options.plots) {
    if (!board.fulfilled(wish)) {
      problems.add({
        where: `--plot ${wish.topic}.${wish.field}`,
        reason: 'no topic has this field as a number',
      });
    }
  }
  const { plots, battery, omitted } = board.plots();
  const events = [...new Map([...facts.events, ...board.events].map((event) => [event.id, event])).values()];
  const gaps: GapJson[] = [
    ...inspected.flatMap((one) => one.gaps),
    ...facts.segments.flatMap(({ manifest }) => manifest?.gaps ?? []),
  ];
  return {
    title: options.title ?? `Recording ${request.from}`,
    createdUtc: formatTime(request.clock.now()),
    version: request.version,
    source: request.from,
    sourceKind: located.kind,
    chosen: options.chosen,
    ...(span === undefined ? {} : { range: { startNs: span.startNs, endNs: span.endNs } }),
    robots,
    messages: topics.reduce((sum, { messages }) => sum + messages, 0),
    payloadBytes: topics.reduce((sum, { bytes }) => sum + bytes, 0),
    topics,
    gaps: gapFacts(gaps, filter, span),
    plots,
    plotsOmitted: omitted,
    tracks: board.boards.tracks.plots(),
    battery,
    diagnostics: board.boards.diagnostics.facts(),
    events: eventMarks(events, span),
    storage: storageFacts(facts, inspected, filter, span),
    ...defined({ transform: transformFacts(facts, filter, span) }),
    sessions: sessionFacts(facts, board.identities, filter, span),
    clockSteps: clockSteps(facts, filter, span),
    tags: tagFacts(facts, filter, span),
    problems: problems.list,
    problemsOmitted: problems.omitted,
  };
}

/** From the first to the last message, limited to the requested range. */
function spanOf(
  inspected: readonly InspectedSegment[],
  facts: RecordingFacts,
  { from, to, robots }: MessageFilter,
): TimeSpan | undefined {
  let first: bigint | undefined;
  let last: bigint | undefined;
  const evicted = facts.segments.filter(
    ({ state, robot }) => state === 'evicted' && (robot === undefined || matches(robots, robot)),
  );
  const inRange = inspected.filter(({ robot }) => robot === undefined || matches(robots, robot));
  for (const { firstLogTime, lastLogTime } of [...inRange, ...evicted]) {
    if (firstLogTime === undefined || lastLogTime === undefined) continue;
    if ((to !== undefined && firstLogTime > to) || (from !== undefined && lastLogTime < from)) continue;
    if (first === undefined || firstLogTime < first) first = firstLogTime;
    if (last === undefined || lastLogTime > last) last = lastLogTime;
  }
  if (first === undefined || last === undefined) return undefined;
  if (from !== undefined && from > first) first = from;
  if (to !== undefined && to < last) last = to;
  return new TimeSpan(first, last);
}

function robotsOf(
  inspected: readonly InspectedSegment[],
  facts: RecordingFacts,
  { robotName, filter }: ReportOptions,
): string[] {
  const robots = new Set<string>();
  for (const { robot, channels } of inspected) {
    for (const channel of channels) {
      if (wantsChannel(filter, channel, robot))
        robots.add(robotOf(robot, channel.topic, nameOption(robotName)));
    }
  }
  for (const { robot } of facts.segments) if (robot !== undefined) robots.add(robot);
  // Gaps and events without a robot come last.
  return [...robots].sort((a, b) => Number(a === '') - Number(b === '') || (a < b ? -1 : a > b ? 1 : 0));
}

async function readAll(
  { options, problems, signal, onProgress }: ReportRequest,
  segments: readonly Segment[],
  board: ReportBoard,
  inspected: readonly InspectedSegment[],
): Promise<void> {
  const total = inspected.reduce((sum, { messages }) => sum + messages, 0);
  const carried = new CarriedFilter();
  let done = 0;
  const merged = mergeRuns(segments, {
    filter: options.filter,
    cache: new BlockCache(CACHE_BYTES),
    onProblem: problems.add,
    onOpen: (reader, segment) => board.open(reader, segment),
    signal,
  });
  for await (const { messages, robot: said } of merged) {
    for (const message of messages) {
      if (++done % PROGRESS_EVERY === 0) onProgress?.(Math.min(done, total), total);
      const collector = board.collector(message.channel, said);
      if (collector === undefined || !carried.accept(message, collector.topic.robot)) continue;
      collector.add(message, board.span.bucket(message.logTime));
    }
  }
}
