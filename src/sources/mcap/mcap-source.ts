import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Source } from '../../core/source.js';
import { runSource } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { invalidOptions, readUriOptions, type UriOption } from '../uri-options.js';
import { McapPlayer } from './mcap-player.js';

export interface McapSourceDependencies {
  readonly fs: FileSystem;
}

const MAX_SPEED = 1_000_000;

const options = {
  /** Multiple of real time, by log time; Infinity: as fast as possible. */
  speed: {
    default: Infinity,
    allowed: `max, or a multiple of real time above 0 up to ${MAX_SPEED}, such as 1 or 10x`,
    read: (text) => {
      if (text === 'max') return Infinity;
      const factor = Number(/^(\d+(?:\.\d+)?)x?$/.exec(text)?.[1]);
      return factor > 0 && factor <= MAX_SPEED ? factor : undefined;
    },
  } satisfies UriOption<number>,
};

/**
 * `mcap:PATH[?speed=max|1|10]`: plays an MCAP file or a rosbag2 folder once, in log-time order, and
 * completes.
 *
 * `receivedAt` is the message's log time and `publishedAt` its publish time. Sequence numbers are not used:
 * rosbag2 writes 0, and other writers number per publisher, so a missing number in a channel proves no loss.
 * Damaged parts are left out. Each damaged file ends with one gap event (`source_unreadable`) with the number
 * of unreadable bytes. A file without a usable index is read in file order. Messages that a Holdfast segment
 * carries are given only if their original was not.
 *
 * @throws HoldfastError CONFIG_INVALID for invalid options.
 */
export function createMcapSource(uri: SourceUri, { fs }: McapSourceDependencies): Source {
  if (uri.path === '') throw invalidOptions(uri, ['the path is empty, allowed: a file or a folder']);
  const { speed } = readUriOptions(uri, options);
  return {
    uri: uri.text,
    supports: { finite: true, backpressure: true, sequences: false, acknowledgement: false },
    open: (context) =>
      runSource(context, async ({ emit, signal }) => {
        try {
          await new McapPlayer(fs, uri.path, speed, { ...context, signal }, emit).play();
        } catch (error) {
          if (isHoldfastError(error) || signal.aborted) throw error;
          const reason = describeError(error);
          throw new HoldfastError('SOURCE_UNREADABLE', `source ${uri.text} cannot be read on: ${reason}`, {
            cause: error,
            facts: { path: uri.path, reason },
          });
        }
      }),
  };
}
