import { createHash } from 'node:crypto';
import type { Priority } from './message.js';
import { encodeName } from './name-encoding.js';
import type { SegmentId } from './segment-id.js';
import { NS_PER_MS } from './clock.js';

/**
 * One sealed object per robot, or per robot and priority class, and one for each group of its topics; several if its
 * channels do not fit into one MCAP.
 */
export interface ObjectName {
  readonly robot: string;
  readonly priority: Priority | undefined;
  /**
   * `<encoded robot>` or `<encoded robot>~<class>`: unique within a part of a segment, because no encoded
   * name ends in that way.
   */
  readonly suffix: string;
  /**
   * 0 for the first 30,000 channels, 1 for the next, and so on; parts above 0 have {@link partId} as segment
   * id.
   */
  readonly part: number;
  /** Topics with objects of their own (`segment=` of a rule), which have {@link ownId}; undefined: all others. */
  readonly group?: string;
}

/**
 * @param part - See {@link ObjectName.part}; default: 0.
 * @param group - See {@link ObjectName.group}; default: none.
 */
export function objectName(
  robot: string,
  priority: Priority | undefined,
  part = 0,
  group?: string,
): ObjectName {
  const encoded = encodeName(robot);
  // `normal` is the default class and keeps the plain name.
  const classed = priority === undefined || priority === 'normal' ? undefined : priority;
  const suffix = classed ? `${encoded}~${classed}` : encoded;
  return { robot, priority: classed, suffix, part, ...(group === undefined ? {} : { group }) };
}

/**
 * The segment id of one object of a segment. It has the same number as the segment and is the same each time the segment
 * is sealed. Only the first part of the topics without a group has the segment's own id.
 */
export function ownId(id: SegmentId, { part, group }: Pick<ObjectName, 'part' | 'group'>): SegmentId {
  if (group === undefined) return partId(id, part);
  return derivedId(id, `part ${part} of group ${group} of ${id}`);
}

/**
 * The segment id of a part of a segment. It has the same number as the segment and is the same each time the
 * segment is sealed. Part 0 has the segment's own id.
 */
function partId(id: SegmentId, part: number): SegmentId {
  if (part === 0) return id;
  return derivedId(id, `part ${part} of ${id}`);
}

/** An id with the same number. */
function derivedId(id: SegmentId, source: string): SegmentId {
  return `${id.slice(0, 12)}-${createHash('sha256').update(source).digest('hex').slice(0, 32)}`;
}

/** File name inside `sealed/`. */
export function sealedFileName(id: SegmentId, name: ObjectName): string {
  return `${id}.${name.suffix}.mcap`;
}

/**
 * Object key relative to the store's prefix: `robot=<robot>/date=<YYYY-MM-DD>/hour=<HH>/<segment>.mcap`, in
 * UTC of the object's first log time (or of the seal, if it holds only gaps).
 */
export function objectKey(id: SegmentId, name: ObjectName, timeNs: bigint): string {
  const date = new Date(Number(timeNs / NS_PER_MS));
  const iso = Number.isNaN(date.getTime()) ? '1970-01-01T00' : date.toISOString();
  // Years beyond 9999 have another form; keys stay sortable and bounded.
  const [day, hour] = /^\d{4}-/.test(iso) ? [iso.slice(0, 10), iso.slice(11, 13)] : ['9999-12-31', '23'];
  const file = name.priority ? `${id}-${name.priority}` : id;
  return `robot=${encodeName(name.robot)}/date=${day}/hour=${hour}/${file}.mcap`;
}
