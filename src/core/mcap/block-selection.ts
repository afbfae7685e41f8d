import type { McapChannel } from './definitions.js';

/** Log times, both inclusive; an absent bound is open. */
export interface TimeRange {
  readonly from?: bigint;
  readonly to?: bigint;
}

/** The log times wanted of a channel; undefined: none of its messages. */
export type Selected = (channel: McapChannel) => TimeRange | undefined;

/** `select` called once per channel; absent: everything. */
export function selection(select: Selected | undefined): Selected {
  if (select === undefined) return () => ({});
  const known = new Map<McapChannel, TimeRange | undefined>();
  return (channel) => {
    if (!known.has(channel)) known.set(channel, select(channel));
    return known.get(channel);
  };
}
