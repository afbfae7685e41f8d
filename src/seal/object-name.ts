import type { Priority } from '../core/message.js';
import { encodeName } from '../core/name-encoding.js';
import type { SegmentId } from '../core/segment-id.js';
import { NS_PER_MS } from '../core/clock.js';

/** One sealed object per robot, or per robot and priority class. */
export interface ObjectName {
  readonly robot: string;
  readonly priority: Priority | undefined;
  /** `<encoded robot>` or `<encoded robot>~<class>`: unique within a segment, as no encoded name ends so. */
  readonly suffix: string;
}

export function objectName(robot: string, priority: Priority | undefined): ObjectName {
  const encoded = encodeName(robot);
  // Normal is the class of everything not named otherwise: it keeps the plain name.
  const classed = priority === undefined || priority === 'normal' ? undefined : priority;
  return { robot, priority: classed, suffix: classed ? `${encoded}~${classed}` : encoded };
}

/** File name inside `sealed/`. */
export function sealedFileName(id: SegmentId, name: ObjectName): string {
  return `${id}.${name.suffix}.mcap`;
}

/**
 * Object key relative to the store's prefix: `robot=<robot>/date=<YYYY-MM-DD>/hour=<HH>/<segment>.mcap`, UTC
 * of the object's first log time (of the seal, where it holds only gaps).
 */
export function objectKey(id: SegmentId, name: ObjectName, timeNs: bigint): string {
  const date = new Date(Number(timeNs / NS_PER_MS));
  const iso = Number.isNaN(date.getTime()) ? '1970-01-01T00' : date.toISOString();
  // Years past 9999 have another form; keys stay sortable and bounded.
  const [day, hour] = /^\d{4}-/.test(iso) ? [iso.slice(0, 10), iso.slice(11, 13)] : ['9999-12-31', '23'];
  const file = name.priority ? `${id}-${name.priority}` : id;
  return `robot=${encodeName(name.robot)}/date=${day}/hour=${hour}/${file}.mcap`;
}
