import { describeError, isHoldfastError } from '../../core/errors.js';
import { gapDocuments, type GapJson } from '../../core/gap.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { otherMetadata } from '../../core/mcap/other-records.js';
import type { MetadataRecord } from '../../core/mcap/records.js';
import { VIN_KEY } from '../../core/vin.js';
import { wantsChannel, type MessageFilter } from '../../recordings/message-filter.js';
import { openSegment } from '../../recordings/open-segment.js';
import type { Problem, Segment } from '../../recordings/segments.js';

/** What the export must know about a segment beforehand. */
export interface InspectedSegment {
  readonly segment: Segment;
  /** From its manifest or its metadata. */
  readonly robot: string | undefined;
  /** From its manifest or its metadata. */
  readonly vin: string | undefined;
  readonly session: string;
  readonly library: string;
  readonly firstLogTime: bigint | undefined;
  readonly lastLogTime: bigint | undefined;
  /** Wanted channels. */
  readonly channels: readonly McapChannel[];
  /** Wanted messages, ignoring the time range; 0 if the file does not state it. */
  readonly messages: number;
  readonly gaps: readonly GapJson[];
  /** Metadata records that Holdfast does not write itself. */
  readonly metadata: readonly MetadataRecord[];
  readonly attachments: number;
}

/** Number opened at the same time: each costs a store one or two requests. */
const AT_ONCE = 8;

export interface InspectOptions {
  readonly filter: MessageFilter;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Opens every segment for its channels, times and gaps. One that cannot be opened is left out here, and
 * reported when it is read.
 */
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
    const { reader, robot } = await openSegment(segment, signal);
    let session = '';
    let { vin } = segment;
    for (const { metadata } of await reader.metadata('holdfast')) {
      session = metadata['session_id'] ?? session;
      vin ??= metadata[VIN_KEY];
    }
    const gaps: GapJson[] = [];
    for (const { metadata } of await reader.metadata('holdfast_gap')) {
      const gap = gapDocuments.parseIfValid(metadata['json']);
      if (gap !== undefined) gaps.push(gap);
      else onProblem({ where: segment.name, reason: 'a gap recorded in it cannot be read' });
    }
    const channels = reader.channels.filter((channel) => wantsChannel(filter, channel, robot));
    const { channelCounts } = reader;
    return {
      segment,
      robot,
      vin,
      session,
      library: reader.library,
      firstLogTime: reader.firstLogTime ?? segment.firstLogTime,
      lastLogTime: reader.lastLogTime ?? segment.lastLogTime,
      channels,
      messages: channels.reduce((sum, { id }) => sum + (channelCounts?.get(id) ?? 0), 0),
      gaps,
      metadata: await otherMetadata(reader),
      attachments: reader.attachments,
    };
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    onProblem({ where: segment.name, reason: describeError(error) });
    return undefined;
  }
}
