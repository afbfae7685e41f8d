import { logTimeAt, type Block } from './block.js';
import type { Selected } from './block-selection.js';

/** Offset of the log time in a message record, after channel id and sequence number. */
const LOG_TIME_AT = 6;
const DIGITS = 256;

/** Indexes of the block's selected messages by log time; equal times keep file order. */
export function orderOf(block: Block, selected: Selected): Uint32Array {
  const order = new Uint32Array(block.offsets.length);
  const ranges = block.channels.map(selected);
  let count = 0;
  let last: bigint | undefined;
  let isSorted = true;
  for (let i = 0; i < block.offsets.length; i++) {
    const range = ranges[block.channelIndexes[i]!];
    if (range === undefined) continue;
    const time = logTimeAt(block, i);
    if (range.from !== undefined && time < range.from) continue;
    if (range.to !== undefined && time > range.to) continue;
    if (last !== undefined && time < last) isSorted = false;
    last = time;
    order[count++] = i;
  }
  const chosen = order.subarray(0, count);
  return isSorted ? chosen : sortByTime(block, chosen);
}

/**
 * Radix sort, one byte of the time after the other: stable, and linear in the number of messages. Comparing
 * millions of times would block the process, and the signal that ends it, for many seconds.
 */
function sortByTime(block: Block, order: Uint32Array): Uint32Array {
  const { records, offsets } = block;
  let from = order;
  let to: Uint32Array = new Uint32Array(order.length);
  for (let byte = 0; byte < 8; byte++) {
    const at = LOG_TIME_AT + byte;
    const starts = new Uint32Array(DIGITS + 1);
    for (const index of from) starts[records[offsets[index]! + at]! + 1]!++;
    if (starts.includes(order.length)) continue;
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1]! += starts[digit]!;
    for (const index of from) to[starts[records[offsets[index]! + at]!]!++] = index;
    [from, to] = [to, from];
  }
  return from;
}
