import type { Block } from './block.js';
import type { ChannelLookup } from './definitions.js';

/** Place and content of a block, without its bytes. */
export interface BlockRef {
  readonly kind: 'chunk' | 'plain';
  readonly at: number;
  readonly length: number;
  /** Log times of its first and last message, nanoseconds since the Unix epoch. */
  readonly from: bigint;
  readonly to: bigint;
  /** The channels in it. Absent: unknown, so it may be any. */
  readonly channelIds?: readonly number[];
  readonly lookup: ChannelLookup;
  /** If an id gets another channel within the block: the channel of each message, in the order of the block. */
  readonly exact?: Pick<Block, 'offsets' | 'channels' | 'channelIndexes'>;
}
