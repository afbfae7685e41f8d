import { basename, dirname, join, resolve } from 'node:path';
import { syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { MessageFilter } from './message-filter.js';
import { bagMetadataYaml, type BagForm } from '../core/mcap/rosbag2-metadata.js';
import type { Problem, Segment } from './segments.js';
import { writeMerged, type MergedContent, type MergeProgress } from './write-merged.js';

export interface ReplayOptions {
  /** The file (`mcap`) or folder (`rosbag2`) to create; it must not exist. */
  readonly output: string;
  readonly format: 'mcap' | 'rosbag2';
  /** Of metadata.yaml. Default: `jazzy`. */
  readonly bagForm?: BagForm;
  readonly filter: MessageFilter;
  /** Version of Holdfast, for the file's header. */
  readonly version: string;
  readonly fs: FileSystem;
  readonly onProblem?: (problem: Problem) => void;
  /** Called about once per thousand messages. */
  readonly onProgress?: (progress: ReplayProgress) => void;
  readonly signal?: AbortSignal;
}

export type ReplayProgress = MergeProgress;

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
        bagMetadataYaml(content, [{ path: name, ...content }], options.bagForm),
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
): Promise<{ content: MergedContent; problems: Problem[] }> {
  const problems: Problem[] = [];
  const onProblem = (problem: Problem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
    options.onProblem?.(problem);
  };
  const handle = await options.fs.open(file, 'wx');
  try {
    return { content: await writeMerged(segments, handle, { ...options, onProblem }), problems };
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
