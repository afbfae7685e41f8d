import { defined } from '../core/defined.js';
import { BlockCache } from '../core/mcap/block-cache.js';
import type { TimeRange } from '../core/mcap/block-reader.js';
import type { McapMessage } from '../core/mcap/block.js';
import { CarriedFilter } from '../core/mcap/carried.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import { IdentityFilter } from '../core/mcap/identity-filter.js';
import { MinHeap } from '../core/mcap/min-heap.js';
import type { McapReader } from '../core/mcap/open-mcap.js';
import { describeDamage, lacksMessages } from '../core/mcap/scan-report.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import { openSegment } from './open-segment.js';
import { wantsChannel, wantsRobot, type MessageFilter } from './message-filter.js';
import type { Problem, Segment } from './segments.js';

/** One message of several segments. */
export interface MergedMessage {
  readonly message: McapMessage;
  readonly segment: Segment;
  /** From the manifest, or from the `holdfast` metadata; absent for recordings of other tools. */
  readonly robot: string | undefined;
}

export interface MergeOptions {
  readonly filter: MessageFilter;
  /** Called for parts that could not be read; the rest is read. */
  readonly onProblem: (problem: Problem) => void;
  /** Called when a segment is opened, before its first message. */
  readonly onOpen?: (reader: McapReader, segment: Segment) => Promise<void> | void;
  /** Log times wanted of a channel; default: those of the filter. */
  readonly timesOf?: (channel: McapChannel) => TimeRange;
  /** Maximum decoded bytes for all segments together. */
  readonly cache?: BlockCache;
  readonly signal?: AbortSignal;
}

interface Lane {
  readonly segment: Segment;
  readonly index: number;
  /** Time of the next message, or a lower bound of it. */
  time: bigint;
  reader?: McapReader;
  robot: string | undefined;
  runs?: AsyncGenerator<readonly McapMessage[], void, void>;
  /** Messages that were read and not yet given. */
  run: readonly McapMessage[];
  position: number;
}

const NOTHING: readonly McapMessage[] = [];

/** Messages of one segment that follow each other in the merge. */
export interface MergedRun {
  readonly messages: readonly McapMessage[];
  readonly segment: Segment;
  readonly robot: string | undefined;
}

/**
 * The wanted messages of all segments in log-time order, each latched message once, and each message that
 * several recorders received once. A segment is opened when its first log time is reached, and closed when it
 * is read; decoded chunks share one bounded cache.
 */
export async function* mergeMessages(
  segments: readonly Segment[],
  options: MergeOptions,
): AsyncGenerator<MergedMessage, void, void> {
  const carried = new CarriedFilter();
  const identities = new IdentityFilter();
  for await (const { messages, segment, robot } of mergeRuns(segments, options)) {
    for (const message of messages) {
      options.signal?.throwIfAborted();
      if (carried.accept(message, robot) && identities.accept(message)) yield { message, segment, robot };
    }
  }
}

/**
 * The same, several messages at once: awaiting each message costs more than reading it. Latched messages come
 * as often as segments repeat them, and others as often as they were recorded.
 */
export async function* mergeRuns(
  segments: readonly Segment[],
  options: MergeOptions,
): AsyncGenerator<MergedRun, void, void> {
  const { filter, signal } = options;
  const heap = new MinHeap<Lane>(earlier);
  segments.forEach((segment, index) => {
    const { firstLogTime: first, lastLogTime: last, robot, vin } = segment;
    if (filter.from !== undefined && last !== undefined && last < filter.from) return;
    if (filter.to !== undefined && first !== undefined && first > filter.to) return;
    if (robot !== undefined && !wantsRobot(filter, robot, vin)) return;
    heap.push({ segment, index, time: first ?? 0n, robot, run: NOTHING, position: 0 });
  });
  const cache = options.cache ?? new BlockCache();
  try {
    for (let lane = heap.peek(); lane !== undefined; lane = heap.peek()) {
      signal?.throwIfAborted();
      const messages = takeRun(lane, heap.peekSecond());
      if (messages.length > 0) yield { messages, segment: lane.segment, robot: lane.robot };
      if (lane.position < lane.run.length || (await advance(lane, cache, options))) heap.settleTop();
      else heap.pop();
    }
  } finally {
    for (let lane = heap.pop(); lane !== undefined; lane = heap.pop()) await lane.runs?.return();
  }
}

function earlier(a: Lane, b: Lane): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : a.index - b.index;
}

/** The messages of the lane before it is the other's turn. */
function takeRun(lane: Lane, other: Lane | undefined): readonly McapMessage[] {
  const { run, position: from } = lane;
  if (from >= run.length) return NOTHING;
  do {
    lane.position++;
    if (lane.position >= run.length) break;
    lane.time = run[lane.position]!.logTime;
  } while (other === undefined || earlier(lane, other) < 0);
  return from === 0 && lane.position === run.length ? run : run.slice(from, lane.position);
}

/** One step: open, then run by run. False: nothing more comes from here. */
async function advance(lane: Lane, cache: BlockCache, options: MergeOptions): Promise<boolean> {
  const { segment } = lane;
  try {
    if (lane.reader === undefined) {
      lane.reader = await open(lane, options);
      if (lane.reader.firstLogTime === undefined) return false;
      if (lane.time < lane.reader.firstLogTime) lane.time = lane.reader.firstLogTime;
      return true;
    }
    lane.runs ??= lane.reader.runs({
      cache,
      select: (channel) => {
        if (!wantsChannel(options.filter, channel, lane.robot)) return undefined;
        return options.timesOf?.(channel) ?? timesOf(options.filter);
      },
      onUnreadable: ({ from, to, reason }) =>
        options.onProblem({
          where: segment.name,
          reason: `bytes ${from} to ${to} are unreadable: ${reason}`,
        }),
      ...defined({ signal: options.signal }),
    });
    const step = await lane.runs.next();
    if (step.done === true) return false;
    lane.run = step.value;
    lane.position = 0;
    if (step.value.length > 0) lane.time = step.value[0]!.logTime;
    return true;
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    options.onProblem({ where: segment.name, reason: describeError(error) });
    return false;
  }
}

function timesOf({ from, to }: MessageFilter): TimeRange {
  return { ...defined({ from, to }) };
}

async function open(lane: Lane, options: MergeOptions): Promise<McapReader> {
  const { segment } = lane;
  const { reader, robot } = await openSegment(segment, options.signal);
  lane.robot = robot;
  if (reader.salvage !== undefined && lacksMessages(reader.salvage)) {
    options.onProblem({ where: segment.name, reason: describeDamage(segment.name, reader.salvage) });
  }
  await options.onOpen?.(reader, segment);
  return reader;
}
