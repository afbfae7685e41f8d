import { basename, dirname, join, resolve } from 'node:path';
import { defined } from '../core/defined.js';
import { syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { isLatched } from '../core/mcap/carried.js';
import { takeOverRecords } from '../core/mcap/other-records.js';
import { chunkCompressor } from '../seal/compression.js';
import { LatchedState } from './latched-state.js';
import { mergeMessages } from './merged-messages.js';
import type { MessageFilter } from './message-filter.js';
import { ReplayWriter } from './replay-writer.js';
import { bagMetadataYaml } from '../core/mcap/rosbag2-metadata.js';
import { present } from '../core/present.js';
import type { Problem, Segment } from './segments.js';

export interface ReplayOptions {
  /** The file (`mcap`) or folder (`rosbag2`) to create; it must not exist. */
  readonly output: string;
  readonly format: 'mcap' | 'rosbag2';
  readonly filter: MessageFilter;
  /** Version of Holdfast, for the file's header. */
  readonly version: string;
  readonly fs: FileSystem;
  readonly onProblem?: (problem: Problem) => void;
  /** Called about once per thousand messages. */
  readonly onProgress?: (progress: ReplayProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ReplayProgress {
  readonly messages: number;
  /** Log time reached, nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
}

export interface ReplayReport {
  readonly output: string;
  readonly messages: number;
  readonly topics: number;
  readonly bytes: number;
  readonly gaps: number;
  /** Decimal nanoseconds since the Unix epoch; absent if there are no messages. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly problems: readonly Problem[];
}

const ZSTD_LEVEL = 1;
const PROGRESS_EVERY = 1000;
const MAX_PROBLEMS = 1000;

/**
 * Merges the wanted messages of all segments into one MCAP or rosbag2 folder, by log time. Latched messages
 * appear once, on their original channels; those from before `filter.from` get that time. It writes under a
 * temporary name and renames when the file is durable, so `output` is complete or absent. Throws
 * `OUTPUT_UNUSABLE`, `DISK_FULL`, and the errors of a store that cannot be reached; damaged segments become
 * problems.
 */
export async function replay(segments: readonly Segment[], options: ReplayOptions): Promise<ReplayReport> {
  const { fs, format } = options;
  const output = resolve(options.output);
  const temporary = `${output}.tmp`;
  await refuseExisting(fs, output);
  try {
    await fs.rm(temporary, { recursive: true, force: true });
    if (format === 'rosbag2') await fs.mkdir(temporary);
    const name = `${basename(output)}_0.mcap`;
    const file = format === 'rosbag2' ? join(temporary, name) : temporary;
    const { content, problems } = await writeMcap(segments, file, options);
    if (format === 'rosbag2') {
      await writeFileDurably(
        fs,
        join(temporary, 'metadata.yaml'),
        bagMetadataYaml(content, [{ path: name, ...content }]),
      );
      await syncDirectory(fs, temporary);
    }
    await refuseExisting(fs, output);
    await fs.rename(temporary, output);
    await syncDirectory(fs, dirname(output));
    const { topics, firstLogTime, lastLogTime, ...counts } = content;
    return {
      output,
      ...counts,
      topics: topics.length,
      ...(firstLogTime === undefined ? {} : { firstLogTime: String(firstLogTime) }),
      ...(lastLogTime === undefined ? {} : { lastLogTime: String(lastLogTime) }),
      problems,
    };
  } catch (cause) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw asOutputError(cause, output);
  }
}

async function writeMcap(
  segments: readonly Segment[],
  file: string,
  options: ReplayOptions,
): Promise<{ content: Awaited<ReturnType<ReplayWriter['finish']>>; problems: Problem[] }> {
  const { filter, onProgress, signal } = options;
  const compressChunk = await chunkCompressor('zstd', ZSTD_LEVEL);
  const problems: Problem[] = [];
  const onProblem = (problem: Problem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
    options.onProblem?.(problem);
  };
  const state = new LatchedState();
  const handle = await options.fs.open(file, 'wx');
  try {
    const writer = new ReplayWriter(handle, compressChunk);
    await writer.start(options.version);
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
        await takeOverRecords(reader, writer, (reason) => onProblem({ where: segment.name, reason }));
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
    return { content: await writer.finish(), problems };
  } finally {
    await handle.close();
  }
}

async function refuseExisting(fs: FileSystem, output: string): Promise<void> {
  try {
    await fs.lstat(output);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw asOutputError(error, output);
  }
  throw new HoldfastError('OUTPUT_UNUSABLE', `${output} exists already`, { facts: { output } });
}

function asOutputError(cause: unknown, output: string): unknown {
  const code = systemCode(cause);
  if (isHoldfastError(cause) || code === undefined) return cause;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const message = `${output} cannot be written: ${describeError(cause)}`;
  return new HoldfastError(full ? 'DISK_FULL' : 'OUTPUT_UNUSABLE', message, { cause, facts: { output } });
}
