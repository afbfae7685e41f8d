import { dirname, join, relative, resolve } from 'node:path';
import { defined } from '../core/defined.js';
import { makeDirectoryDurably, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { bagContent, bagName, overlaps, planBags, type PlannedBag } from './bag-plan.js';
import { surveyFile, type SurveyedFile } from './bag-survey.js';
import type { Located } from './locate.js';
import { matches } from './message-filter.js';
import { bagMetadataYaml, type BagFile, type BagForm } from '../core/mcap/rosbag2-metadata.js';
import type { Problem, Segment } from './segments.js';

/**
 * Where the bag's files are. `refer` leaves them in their place. `link` gives them a second name in the bag's
 * folder (hard links: no bytes are copied, and they stay when the segment is evicted). `copy` copies them.
 */
export type BagFiles = 'refer' | 'link' | 'copy';

export interface WriteBagsOptions {
  readonly files: BagFiles;
  /** Of metadata.yaml. Default: `jazzy`. */
  readonly form?: BagForm;
  /** Folder that gets one folder per bag. */
  readonly output?: string;
  /** Names, `*` stands for any text. */
  readonly robots?: readonly string[];
  readonly fs: FileSystem;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress?: (name: string) => void;
  readonly signal?: AbortSignal;
}

export interface WrittenBag {
  readonly path: string;
  readonly robot?: string;
  readonly priority?: string;
  /** Topics with segments of their own. */
  readonly group?: string;
  readonly files: number;
  readonly topics: number;
  /** Count of `ros2 bag info`, which includes the carried ones. */
  readonly messages: number;
  readonly carried: number;
}

const COPY_BYTES = 4 * 1024 * 1024;
/** Larger files are not read before they are replaced. */
const METADATA_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Writes a `metadata.yaml` for every robot (and priority class) among the segments, so that `ros2 bag info`
 * and `play` accept each as one bag. Content that cannot be in a bag is left out and becomes a problem.
 * Throws `OUTPUT_UNUSABLE`.
 */
export async function writeBags(
  segments: readonly Segment[],
  located: Located,
  options: WriteBagsOptions,
): Promise<WrittenBag[]> {
  const { onProblem, signal } = options;
  const surveyed: SurveyedFile[] = [];
  for (const segment of segments) {
    signal?.throwIfAborted();
    options.onProgress?.(segment.name);
    const file = await survey(segment, onProblem);
    if (file !== undefined && matches(options.robots, file.robot ?? '')) surveyed.push(file);
  }
  const bags: WrittenBag[] = [];
  for (const bag of planBags(surveyed, located, options.output)) {
    for (const { name, seconds } of overlaps(bag)) {
      const reason = `it begins ${seconds.toFixed(1)} s before the file ahead of it in the bag ends, and ros2 bag play gives one after the other: use replay --format rosbag2`;
      onProblem({ where: name, reason });
    }
    bags.push(await writeBag(bag, located, options));
  }
  return bags;
}

async function survey(
  segment: Segment,
  onProblem: (problem: Problem) => void,
): Promise<SurveyedFile | undefined> {
  try {
    const file = await surveyFile(segment);
    if (file.foreignTopics.length > 0) {
      const names = file.foreignTopics.slice(0, 5).join(', ');
      onProblem({ where: segment.name, reason: `left out of the bag, as they are no CDR: ${names}` });
    }
    // Only gaps, or only types that ros2 bag does not support: there is nothing to show.
    return file.topics.length > 0 && file.firstLogTime !== undefined ? file : undefined;
  } catch (error) {
    if (!isHoldfastError(error, 'MCAP_UNREADABLE') && !isHoldfastError(error, 'SEGMENT_CORRUPT')) throw error;
    onProblem({ where: segment.name, reason: describeError(error) });
    return undefined;
  }
}

async function writeBag(bag: PlannedBag, located: Located, options: WriteBagsOptions): Promise<WrittenBag> {
  const { fs } = options;
  const folder = resolve(bag.folder);
  try {
    if (options.files === 'refer') {
      await refuseForeign(fs, folder);
      await makeDirectoryDurably(fs, folder);
      const paths = bag.files.map(({ segment }) => relative(folder, pathOf(segment, located)));
      await writeMetadata(fs, folder, bag, paths, options.form);
    } else {
      await fillFolder(bag, folder, located, options);
    }
  } catch (cause) {
    throw asOutputError(cause, folder);
  }
  const { topics, messages, carried } = bagContent(bag);
  const { robot, priority, group, files } = bag;
  return {
    path: folder,
    ...defined({ robot, priority, group }),
    files: files.length,
    topics: topics.length,
    messages,
    carried,
  };
}

async function writeMetadata(
  fs: FileSystem,
  folder: string,
  bag: PlannedBag,
  paths: readonly string[],
  form: BagForm | undefined,
): Promise<void> {
  const files = bag.files.map(({ messages, firstLogTime, lastLogTime }, i): BagFile => ({
    path: paths[i]!,
    messages,
    ...defined({ firstLogTime, lastLogTime }),
  }));
  await writeFileDurably(fs, join(folder, 'metadata.yaml'), bagMetadataYaml(bagContent(bag), files, form));
}

/** Its own folder, complete or absent; its files have the names that `ros2 bag reindex` expects. */
async function fillFolder(
  bag: PlannedBag,
  folder: string,
  located: Located,
  { fs, files, form, onProgress, signal }: WriteBagsOptions,
): Promise<void> {
  await refuseExisting(fs, folder);
  await makeDirectoryDurably(fs, dirname(folder));
  const temporary = `${folder}.tmp`;
  await fs.rm(temporary, { recursive: true, force: true });
  await fs.mkdir(temporary);
  try {
    const names = bag.files.map((_, i) => `${bagName(bag)}_${i}.mcap`);
    for (const [i, { segment }] of bag.files.entries()) {
      signal?.throwIfAborted();
      onProgress?.(segment.name);
      const path = join(temporary, names[i]!);
      if (files === 'link') await fs.link(pathOf(segment, located), path);
      else await copy(fs, segment, path, signal);
    }
    await writeMetadata(fs, temporary, bag, names, form);
    await syncDirectory(fs, temporary);
    await fs.rename(temporary, folder);
    await syncDirectory(fs, dirname(folder));
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

async function copy(
  fs: FileSystem,
  segment: Segment,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const readable = segment.readable();
  const size = await readable.size();
  const handle = await fs.open(path, 'wx');
  try {
    for (let at = 0n; at < size; at += BigInt(COPY_BYTES)) {
      signal?.throwIfAborted();
      const part = size - at < BigInt(COPY_BYTES) ? size - at : BigInt(COPY_BYTES);
      await handle.writeFile(await readable.read(at, part));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file on this disk; without one, `refer` and `link` were refused before. */
function pathOf(segment: Segment, located: Located): string {
  if (located.kind !== 'store') return resolve(segment.name);
  return join(located.store.uri.replace(/^dir:/, ''), segment.name);
}

/** A bag of another tool keeps its metadata. */
async function refuseForeign(fs: FileSystem, folder: string): Promise<void> {
  const path = join(folder, 'metadata.yaml');
  try {
    if ((await fs.stat(path)).size <= METADATA_MAX_BYTES) {
      if (/^ {4}holdfast_carried:/m.test(await fs.readFile(path, 'utf8'))) return;
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  const message = `${path} was not written by holdfast bag and is not replaced`;
  throw new HoldfastError('OUTPUT_UNUSABLE', message, { facts: { output: path } });
}

async function refuseExisting(fs: FileSystem, folder: string): Promise<void> {
  try {
    await fs.lstat(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  throw new HoldfastError('OUTPUT_UNUSABLE', `${folder} exists already`, { facts: { output: folder } });
}

function asOutputError(cause: unknown, output: string): unknown {
  const code = systemCode(cause);
  if (isHoldfastError(cause) || code === undefined) return cause;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const hint = code === 'EXDEV' ? ' (hard links stay on one file system: use --files copy)' : '';
  const message = `${output} cannot be written: ${describeError(cause)}${hint}`;
  return new HoldfastError(full ? 'DISK_FULL' : 'OUTPUT_UNUSABLE', message, { cause, facts: { output } });
}
