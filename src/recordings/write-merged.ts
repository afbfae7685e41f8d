import { defined } from '../core/defined.js';
import { isLatched } from '../core/mcap/carried.js';
import { withoutFoxgloveKey } from '../core/foxglove-record.js';
import { takeOverRecords, type RecordTaker } from '../core/mcap/other-records.js';
import { present } from '../core/present.js';
import { chunkCompressor } from '../seal/compression.js';
import { LatchedState } from './latched-state.js';
import { mergeMessages } from './merged-messages.js';
import type { MessageFilter } from './message-filter.js';
import { ReplayWriter, type WrittenFile } from './replay-writer.js';
import type { Problem, Segment } from './segments.js';

export interface WriteMergedOptions {
  readonly filter: MessageFilter;
  /** Version of Holdfast, for the file's header. */
  readonly version: string;
  /** Called for parts that could not be read; the rest is written. */
  readonly onProblem: (problem: Problem) => void;
  /** Called about once per thousand messages. */
  readonly onProgress?: (progress: MergeProgress) => void;
  readonly signal?: AbortSignal;
}

export interface MergeProgress {
  readonly messages: number;
  /** Log time reached, nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
}

export type MergedContent = Awaited<ReturnType<ReplayWriter['finish']>>;

const ZSTD_LEVEL = 1;
const PROGRESS_EVERY = 1000;

/**
 * Merges the wanted messages of all segments into one MCAP with an index, by log time. Latched messages appear
 * once, on their original channels; those from before `filter.from` get that time. The same segments, filter and
 * version give the same bytes. Throws the errors of the handle, and those of a store that cannot be reached.
 */
export async function writeMerged(
  segments: readonly Segment[],
  handle: WrittenFile,
  { filter, version, onProblem, onProgress, signal }: WriteMergedOptions,
): Promise<MergedContent> {
  const state = new LatchedState();
  const writer = new ReplayWriter(handle, await chunkCompressor('zstd', ZSTD_LEVEL));
  await writer.start(version);
  let count = 0;
  const start = filter.from;
  const flush = async (): Promise<void> => {
    for (const { message, robot } of state.take()) await writer.add(message, robot, present(start));
  };
  const merged = mergeMessages(segments, {
    filter,
    timesOf: (channel) => ({
      ...(start === undefined || isLatched(channel) ? {} : { from: start }),
      ...defined({ to: filter.to }),
    }),
    onOpen: async (reader, segment) => {
      for (const { metadata } of await reader.metadata('holdfast_gap')) {
        if (metadata['json'] !== undefined) await writer.addGap(metadata['json']);
      }
      const taker: RecordTaker = {
        addMetadata: (record) => writer.addMetadata(withoutFoxgloveKey(record)),
        addAttachment: (attachment) => writer.addAttachment(attachment),
      };
      await takeOverRecords(reader, taker, (reason) => onProblem({ where: segment.name, reason }));
    },
    onProblem,
    ...defined({ signal }),
  });
  for await (const one of merged) {
    const { logTime } = one.message;
    if (start !== undefined && logTime < start) {
      state.add(one);
      continue;
    }
    await flush();
    await writer.add(one.message, one.robot, logTime);
    if (++count % PROGRESS_EVERY === 0) onProgress?.({ messages: count, logTime });
  }
  await flush();
  return writer.finish();
}
