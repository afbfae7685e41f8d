import { basename } from 'node:path';
import { withoutSegmentEnd } from '../../core/manifest.js';
import type { InspectedSegment } from './inspect.js';
import type { ExportOptions } from './export-options.js';

/** Segments that are exported together, in one pass through time. */
export interface ExportGroup {
  readonly key: string;
  readonly segment: string;
  readonly session: string;
  readonly members: readonly InspectedSegment[];
}

/** Groups segments by the files of the layout: a robot's own segments are read without the others'. */
export function groupSegments(
  inspected: readonly InspectedSegment[],
  { layout }: ExportOptions,
): ExportGroup[] {
  const groups = new Map<string, InspectedSegment[]>();
  for (const one of inspected) {
    const key = JSON.stringify([
      // Recordings without a robot may hold several.
      layout.has('robot') ? (one.robot ?? null) : '',
      layout.has('segment') ? one.segment.name : '',
      layout.has('session') ? one.session : '',
    ]);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [one]);
    else members.push(one);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, members]) => ({
      key,
      segment: layout.has('segment') ? segmentName(members[0]!) : '',
      session: layout.has('session') ? members[0]!.session : '',
      members,
    }));
}

function segmentName({ segment }: InspectedSegment): string {
  return segment.id ?? withoutSegmentEnd(basename(segment.fileName ?? segment.name));
}

/** The robot of a message: from its recording, otherwise the option, otherwise the first part of the topic. */
export function robotOf(
  robot: string | undefined,
  topic: string,
  { robotName }: Pick<ExportOptions, 'robotName'>,
): string {
  return robot ?? robotName ?? /^\/([^/]+)\//.exec(topic)?.[1] ?? '';
}
