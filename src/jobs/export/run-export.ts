import { defined } from '../../core/defined.js';
import { formatTime, type Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import { BlockCache } from '../../core/mcap/block-cache.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { describeOthers } from '../../core/mcap/other-records.js';
import { mergeMessages, mergeRuns } from '../../recordings/merged-messages.js';
import type { Problem, Segment } from '../../recordings/segments.js';
import { EncodePool } from './encode-pool.js';
import { groupSegments, robotOf, type ExportGroup } from './export-groups.js';
import { outputFingerprint, type ExportOptions } from './export-options.js';
import type { SinkContext } from './group-sink.js';
import { ofSessions } from './sessions.js';
import { inspectSegments, type InspectedSegment } from './inspect.js';
import { CarriedFilter } from '../../core/mcap/carried.js';
import { IdentityFilter } from '../../core/mcap/identity-filter.js';
import { buildManifest, MANIFEST_NAME, type ExportManifest, exportManifests } from './export-manifest.js';
import { openSink } from './open-sink.js';
import type { OutputPlace } from './output-place.js';
import { refuseSharedFiles } from './vehicle-sink.js';
import { ExportJournal, type PlanRecord, type StepRecord } from './step-record.js';

export interface ExportRequest {
  /** The request, as text: only an export with the same text is continued. */
  readonly from: string;
  readonly segments: readonly Segment[];
  /** Faults found while the segments were located. */
  readonly listingProblems?: readonly Problem[];
  readonly options: ExportOptions;
  readonly place: OutputPlace;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Of the product. */
  readonly version: string;
  readonly signal: AbortSignal;
  readonly onProblem?: (problem: Problem) => void;
  readonly onProgress?: (progress: ExportProgress) => void;
}

/** How far an export is. */
export interface ExportProgress {
  /** Segments are inspected first, then messages are exported. */
  readonly phase: 'planning' | 'exporting';
  /** Segments while planning, messages while exporting. */
  readonly done: number;
  /** In the same unit; it may grow while planning. */
  readonly total: number;
}

export interface ExportReport {
  /** Nothing was left out, and everything could be read. */
  readonly ok: boolean;
  readonly manifest: ExportManifest;
  /** True if an earlier run had already done all of it. */
  readonly alreadyDone: boolean;
  readonly problems: readonly Problem[];
  /** Content that the format cannot hold and that the options did not select. */
  readonly notes: readonly Problem[];
}

const MAX_PROBLEMS = 1000;
const PROGRESS_EVERY = 2048;
/** Decoded chunks kept while reading: the segments of one robot hardly overlap. */
const CACHE_BYTES = 24 * 1024 * 1024;

/**
 * Exports the wanted messages of all segments. It continues an earlier, killed run of the same export; a
 * place with another export is refused (`OUTPUT_UNUSABLE`). Parts that cannot be read or decoded are counted
 * and reported, and the rest continues.
 */
export async function runExport(request: ExportRequest): Promise<ExportReport> {
  const { place, options, signal, clock } = request;
  const problems: Problem[] = [...(request.listingProblems ?? [])];
  const onProblem = (problem: Problem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
    request.onProblem?.(problem);
  };
  const journal = new ExportJournal(place);
  const fingerprint = outputFingerprint(request.from, options);
  const finished = await finishedManifest(request, fingerprint);
  if (finished !== undefined) {
    return { ok: isWhole(finished), manifest: finished, alreadyDone: true, problems, notes: [] };
  }
  const plan = await beginOrContinue(journal, request, fingerprint);
  const segments = plannedSegments(plan, request.segments, onProblem);
  const steps = await journal.steps();
  // Read again below; reported now only if the reading would not report it.
  const all = await inspectSegments(segments, {
    filter: options.filter,
    onProblem: () => {},
    onProgress: (done, total) => request.onProgress?.({ phase: 'planning', done, total }),
    signal,
  });
  const chosen = ofSessions(all, options.sessions);
  const groups = groupSegments(chosen, options);
  if (options.preset === 'vehicle') refuseSharedFiles(groups, options);
  const progress = new Counter(chosen, steps, request);
  await using pool = new EncodePool(options.workers);
  const known = new Set(all.map(({ segment }) => segment.name));
  const lost = segments.filter(({ name }) => !known.has(name));
  for (const group of groups) {
    const before = steps.filter((step) => step.group === group.key);
    if (before.some((step) => step.until === undefined)) continue;
    await exportGroup(group, before, { request, journal, steps, pool, progress, onProblem });
  }
  // For a segment that could not be opened, the reading reports why.
  for await (const _ of mergeMessages(lost, { filter: options.filter, onProblem, signal })) break;
  const stepProblems = steps.flatMap((step) => step.problems);
  const allProblems = [
    ...problems.filter((one) => !stepProblems.some((other) => same(one, other))),
    ...stepProblems,
  ];
  const manifest = buildManifest({
    plan,
    endedUtc: formatTime(clock.now()),
    steps,
    inspected: chosen,
    options,
    version: request.version,
    problems: allProblems,
  });
  await place.put(MANIFEST_NAME, `${JSON.stringify(manifest, null, 1)}\n`);
  await journal.remove();
  const notes = groups.flatMap((group) => {
    const hasFile = steps.some(({ group: key, files }) => key === group.key && files.length > 0);
    return group.members.flatMap((one) => leftOut(one, options.format === 'mcap' && hasFile));
  });
  return { ok: isWhole(manifest), manifest, alreadyDone: false, problems: allProblems, notes };
}

/** Attachments have no place in any export, metadata records only in an MCAP, which needs a message. */
function leftOut({ segment, metadata, attachments }: InspectedSegment, holdsMetadata: boolean): Problem[] {
  const names = holdsMetadata ? [] : metadata.map(({ name }) => name);
  const what = describeOthers(names, attachments);
  return what === '' ? [] : [{ where: segment.name, reason: `not exported: ${what}` }];
}

function same(a: Problem, b: Problem): boolean {
  return a.where === b.where && a.reason === b.reason;
}

function isWhole({ problems, undecoded, left_over: leftOver }: ExportManifest): boolean {
  return problems.length === 0 && undecoded === 0 && leftOver === 0;
}

async function finishedManifest(
  { place, segments }: ExportRequest,
  fingerprint: unknown,
): Promise<ExportManifest | undefined> {
  const text = await place.get(MANIFEST_NAME);
  if (text === undefined) return undefined;
  const manifest = exportManifests.parseIfValid(text);
  const known = new Set(manifest?.planned);
  const isSame =
    JSON.stringify(manifest?.fingerprint) === JSON.stringify(fingerprint) &&
    segments.every((segment) => known.has(segmentWord(segment)));
  if (manifest !== undefined && isSame) return manifest;
  throw occupied(place, 'another finished export (other options, or newer segments)');
}

/** Name and size: a sealed segment never changes. */
function segmentWord({ name, bytes }: Segment): string {
  return `${bytes} ${name}`;
}

/** Segments that appeared since the export began are left to the next one; those that vanished are reported. */
function plannedSegments(
  plan: PlanRecord,
  segments: readonly Segment[],
  onProblem: (problem: Problem) => void,
): Segment[] {
  const planned = new Set(plan.segments);
  const there = segments.filter((segment) => planned.delete(segmentWord(segment)));
  for (const word of planned) {
    onProblem({ where: word.slice(word.indexOf(' ') + 1), reason: 'gone since the export began' });
  }
  return there;
}

async function beginOrContinue(
  journal: ExportJournal,
  { place, clock, random, segments }: ExportRequest,
  fingerprint: unknown,
): Promise<PlanRecord> {
  const plan = await journal.plan();
  if (plan !== undefined) {
    if (JSON.stringify(plan.fingerprint) === JSON.stringify(fingerprint)) return plan;
    throw occupied(place, 'the beginning of another export (other options)');
  }
  if (!(await place.isEmpty())) throw occupied(place, 'something else');
  const fresh: PlanRecord = {
    export_id: randomHex(random, 16),
    started_utc: formatTime(clock.now()),
    fingerprint,
    segments: segments.map(segmentWord),
  };
  await journal.begin(fresh);
  return fresh;
}

function occupied({ uri }: OutputPlace, what: string): HoldfastError {
  return new HoldfastError('OUTPUT_UNUSABLE', `${uri} holds ${what}: choose an empty place`, {
    facts: { output: uri },
  });
}

interface Work {
  readonly request: ExportRequest;
  readonly journal: ExportJournal;
  readonly steps: StepRecord[];
  readonly pool: EncodePool;
  readonly progress: Counter;
  readonly onProblem: (problem: Problem) => void;
}

function sinkContext({ segment, session }: ExportGroup, { request, pool }: Work): SinkContext {
  const { options, place, version } = request;
  return { options, place, pool, createdBy: `holdfast ${version}`, version, segment, session };
}

/** One pass through a group's time; each window is durable before the next one's files begin. */
async function exportGroup(group: ExportGroup, before: readonly StepRecord[], work: Work): Promise<void> {
  const { request, journal, steps, onProblem } = work;
  const { options, signal } = request;
  const { layout, filter } = options;
  const sink = openSink(sinkContext(group, work), group);
  const latched = new CarriedFilter(before.at(-1)?.latched);
  const identities = new IdentityFilter(before.at(-1)?.seen);
  const until = before.at(-1)?.until;
  let problems: Problem[] = [];
  const endStep = async (end: bigint | undefined): Promise<void> => {
    const { files, tallies } = await sink.endWindow();
    const seen = identities.seen();
    const step: StepRecord = {
      group: group.key,
      ...(end === undefined ? {} : { until: String(end) }),
      files,
      tallies: tallies.filter((tally) => tally.messages + tally.undecoded + tally.thinned_out > 0),
      latched: latched.digests(),
      ...defined({ seen }),
      problems,
    };
    problems = [];
    await journal.add(step);
    steps.push(step);
  };
  try {
    let window: bigint | undefined;
    const from = later(filter.from, until === undefined ? undefined : BigInt(until));
    const merged = mergeRuns(
      group.members.map(({ segment }) => segment),
      {
        filter: { ...filter, ...defined({ from }) },
        cache: new BlockCache(CACHE_BYTES),
        onProblem: (problem) => {
          if (problems.length < MAX_PROBLEMS) problems.push(problem);
          onProblem(problem);
        },
        signal,
      },
    );
    const robots = new WeakMap<McapChannel, string>();
    for await (const { messages, robot: said } of merged) {
      for (const message of messages) {
        work.progress.count();
        let robot = robots.get(message.channel);
        if (robot === undefined) {
          robot = robotOf(said, message.channel.topic, options);
          robots.set(message.channel, robot);
        }
        if (!latched.accept(message, robot) || !identities.accept(message)) continue;
        const own = layout.windowOf(message.logTime);
        if (window !== undefined && own !== window) await endStep(layout.endOf(window));
        window = own;
        const wait = sink.add({ message, robot });
        if (wait !== undefined) await wait;
      }
    }
    await endStep(undefined);
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

function later(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}

/** Counts messages for the progress bar. */
class Counter {
  #done: number;
  readonly #total: number;

  constructor(
    inspected: readonly InspectedSegment[],
    steps: readonly StepRecord[],
    readonly request: ExportRequest,
  ) {
    this.#total = inspected.reduce((sum, { messages }) => sum + messages, 0);
    const tallies = steps.flatMap((step) => step.tallies);
    this.#done = tallies.reduce((sum, one) => sum + one.messages + one.undecoded + one.thinned_out, 0);
  }

  count(): void {
    if (++this.#done % PROGRESS_EVERY !== 0) return;
    this.request.onProgress?.({
      phase: 'exporting',
      done: Math.min(this.#done, this.#total),
      total: this.#total,
    });
  }
}
