import type { SegmentChannel } from '../wal/segment-format.js';
import { objectName, type ObjectName } from '../core/object-name.js';

/**
 * Maximum of channels in one MCAP. Channel and schema ids have 16 bits. A channel takes one id, a second one
 * if it has carried messages, and one more each time its identifying numbers pass a multiple of 2^32.
 */
export const OBJECT_MAX_CHANNELS = 30_000;

/** Decides which object of a segment holds a channel, by robot, priority class, group and count. */
export class ObjectRouter {
  readonly #names = new Map<number, ObjectName>();
  readonly #counts = new Map<string, number>();
  readonly #splitByPriority: boolean;

  constructor(splitByPriority: boolean) {
    this.#splitByPriority = splitByPriority;
  }

  /** Adds a channel. Call it for all channels of a segment in stored order, so that every pass agrees. */
  add(id: number, { robot, priority, group }: SegmentChannel): ObjectName {
    const first = objectName(robot, this.#splitByPriority ? priority : undefined, 0, group);
    const key = objectKeyOf(first);
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    const part = Math.floor(count / OBJECT_MAX_CHANNELS);
    const name = part === 0 ? first : objectName(robot, first.priority, part, group);
    this.#names.set(id, name);
    return name;
  }

  /** Undefined: the channel was not added. */
  nameOf(id: number): ObjectName | undefined {
    return this.#names.get(id);
  }
}

/** Key of an object among those of one segment. */
export function objectKeyOf({ suffix, part, group }: ObjectName): string {
  const own = group === undefined ? suffix : `${suffix}/${group}`;
  return part === 0 ? own : `${own}/${part}`;
}
