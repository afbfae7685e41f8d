import { HoldfastError } from '../core/errors.js';
import { robotOfKey } from '../core/manifest-place.js';
import { openOrSalvage, type McapReader } from '../core/mcap/open-mcap.js';
import { encodeName } from '../core/name-encoding.js';
import type { Segment } from './segments.js';

/** Opens a segment, complete or not, and finds its robot in its own metadata. */
export interface OpenedSegment {
  readonly reader: McapReader;
  /** From the manifest, or from the `holdfast` metadata; absent for recordings of other tools. */
  readonly robot: string | undefined;
}

/** Opens a segment for a reader of its messages. Throws the errors of {@link robotOf}. */
export async function openSegment(segment: Segment, signal: AbortSignal | undefined): Promise<OpenedSegment> {
  const reader = await openOrSalvage(segment.readable(), segment.name, undefined, signal);
  const robot = await robotOf(reader, segment);
  return { reader, robot: segment.robot ?? robot };
}

/**
 * The robot in a segment's own metadata; undefined for recordings of other tools, which have none. Throws
 * `SEGMENT_CORRUPT` if it names another robot or segment than the manifest or the key: an object in the place
 * of another robot must not be read as that robot's data.
 */
export async function robotOf(reader: McapReader, segment: Segment): Promise<string | undefined> {
  const own = await reader.metadata('holdfast');
  const [robot] = own.flatMap(({ metadata }) => metadata['robot'] ?? []);
  // A file that was merged from several has no single place.
  if (own.length === 1) checkPlace(segment, robot, own[0]!.metadata['segment']);
  return robot;
}

function checkPlace(segment: Segment, robot: string | undefined, id: string | undefined): void {
  const placed = segment.robot === undefined ? robotOfKey(segment.name) : encodeName(segment.robot);
  if (robot !== undefined && placed !== undefined && placed !== encodeName(robot)) {
    throw misplaced(segment, 'robot', placed, robot);
  }
  if (id !== undefined && segment.id !== undefined && id !== segment.id) {
    throw misplaced(segment, 'segment', segment.id, id);
  }
}

function misplaced({ name }: Segment, what: string, placed: string, own: string): HoldfastError {
  return new HoldfastError(
    'SEGMENT_CORRUPT',
    `${name} holds ${what} ${own}, and its place is that of ${what} ${placed}: it is left out; ` +
      'holdfast verify shows what was exchanged',
    { facts: { name, what, placed, own } },
  );
}
