import { objectKey, objectName } from '../../core/object-name.js';
import { isSegmentId } from '../../core/segment-id.js';
import type { Priority } from '../../core/message.js';

/** A segment as its robot reports it. */
export interface ReportedPlace {
  /** Its id, or its name in `sealed/`, which begins with the id. */
  readonly segment: string;
  readonly priority?: string;
  readonly state: string;
  readonly firstLogTime?: string;
}

const priorities: readonly Priority[] = ['high', 'normal', 'low'];

/** The class of a reported segment; undefined: it has none, or one of a later version. */
export function priorityOf(priority: string | undefined): Priority | undefined {
  return priorities.find((one) => one === priority);
}

/**
 * The keys of the segments that a robot reports as uploaded, for {@link Catalogue.hint}. They are those that sync
 * prefers: if a key was taken, the next listing finds the segment.
 */
export function uploadedKeys(robot: string, segments: readonly ReportedPlace[]): string[] {
  return segments.flatMap(({ segment, priority, state, firstLogTime }) => {
    const id = segment.split('.')[0] ?? '';
    if (state !== 'uploaded' || firstLogTime === undefined || !isSegmentId(id)) return [];
    return [objectKey(id, objectName(robot, priorityOf(priority)), BigInt(firstLogTime))];
  });
}
