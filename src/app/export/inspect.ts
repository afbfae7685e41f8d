import { describeError, isHoldfastError } from '../../core/errors.js';
import type { GapJson } from '../../core/gap.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openOrSalvage } from '../../core/mcap/open-mcap.js';
import { wantsChannel, type MessageFilter } from '../reading/message-filter.js';
import type { Problem, Segment } from '../reading/segments.js';

/** What the export must know of a segment beforehand. */
export interface InspectedSegment {
  readonly segment: Segment;
  /** As its manifest or its metadata says. */
  readonly robot: string | undefined;
  readonly session: string;
  readonly library: string;
  readonly firstLogTime: bigint | undefined;
  readonly lastLogTime: bigint | undefined;
  /** Wanted channels. */
  readonly channels: readonly McapChannel[];
  /** Wanted messages, the time range aside; 0 where the file does not tell. */
  readonly messages: number;
  readonly gaps: readonly GapJson[];
}

/** Opened at once: each costs a store a request or two. */
const AT_ONCE = 8;

export interface InspectOptions {
  readonly filter: MessageFilter;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/** Opens every segment for its channels, times and gaps. What cannot be opened is left out here, and reported when it is read. */
export async function inspectSegments(
  segments: readonly Segment[],
  options: InspectOptions,
): Promise<InspectedSegment[]> {
  const found: (InspectedSegment | undefined)[] = [];
  let next = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (next < segments.length) {
      options.signal.throwIfAborted();
      const index = next++;
      const segment = segments[index]!;
      if (isOutside(segment, options.filter)) continue;
      found[index] = await inspect(segment, options);
      options.onProgress?.(++done, segments.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, segments.length) }, lane));
  return found.filter((one) => one !== undefined);
}

function isOutside({ firstLogTime, lastLogTime }: Segment, { from, to }: MessageFilter): boolean {
  if (from !== undefined && lastLogTime !== undefined && lastLogTime < from) return true;
  return to !== undefined && firstLogTime !== undefined && firstLogTime > to;
}

async function inspect(
  segment: Segment,
  { filter, onProblem, signal }: InspectOptions,
): Promise<InspectedSegment | undefined> {
  try {
    const reader = await openOrSalvage(segment.readable(), segment.name, undefined, signal);
    let robot = segment.robot;
    let session = '';
    for (const { metadata } of await reader.metadata('holdfast')) {
      robot ??= metadata['robot'];
      session = metadata['session_id'] ?? session;
    }
    const gaps: GapJson[] = [];
    for (const { metadata } of await reader.metadata('holdfast_gap')) {
      const gap = parseGap(metadata['json']);
      if (gap !== undefined) gaps.push(gap);
      else onProblem({ where: segment.name, reason: 'a gap recorded in it cannot be read' });
    }
    const channels = reader.channels.filter((channel) => wantsChannel(filter, channel, robot));
    const { channelCounts } = reader;
    return {
      segment,
      robot,
      session,
      library: reader.library,
      firstLogTime: reader.firstLogTime ?? segment.firstLogTime,
      lastLogTime: reader.lastLogTime ?? segment.lastLogTime,
      channels,
      messages: channels.reduce((sum, { id }) => sum + (channelCounts?.get(id) ?? 0), 0),
      gaps,
    };
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    onProblem({ where: segment.name, reason: describeError(error) });
    return undefined;
  }
}

function parseGap(text: string | undefined): GapJson | undefined {
  try {
    const gap: unknown = JSON.parse(text ?? '');
    return typeof gap === 'object' && gap !== null && 'id' in gap && 'reason' in gap
      ? (gap as GapJson)
      : undefined;
  } catch {
    return undefined;
  }
}
