import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Manifest } from '../../core/manifest.js';
import { BlockCache } from '../../core/mcap/block-cache.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { FilePool } from '../../recordings/file-readable.js';
import { mergeRuns } from '../../recordings/merged-messages.js';

const CACHE_BYTES = 16 * 1024 * 1024;

/**
 * The messages that were recorded in one sealed segment, in the order of their log times, without those that were
 * carried from earlier ones. Throws `SEGMENT_CORRUPT` if it cannot be read completely.
 */
export async function* segmentMessages(
  fs: FileSystem,
  path: string,
  { file }: Manifest,
  topics: readonly string[] | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly McapMessage[], void, void> {
  await using files = new FilePool(fs);
  const readable = files.readable(path);
  const runs = mergeRuns([{ name: path, bytes: file.bytes, readable: () => readable }], {
    filter: topics ? { topics } : {},
    cache: new BlockCache(CACHE_BYTES),
    onProblem: ({ reason }) => {
      throw new HoldfastError('SEGMENT_CORRUPT', `${path}: ${reason}`, { facts: { name: path } });
    },
    signal,
  });
  for await (const { messages } of runs) yield messages.filter(({ channel }) => !channel.carried);
}
