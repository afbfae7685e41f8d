import {
  decodeLakeSegment,
  encodeLake,
  lakeSegmentKey,
  segmentsPrefix,
  type LakeSegment,
} from '../../core/lake-manifest.js';
import { encodeName } from '../../core/name-encoding.js';
import type { Store } from '../../core/store.js';
import { isHoldfastError } from '../../core/errors.js';
import type { DeletionRequest } from '../../deletion/deletion-request.js';
import { remainderId, remainderName } from '../../deletion/remainder-name.js';
import { readSmallObject } from '../../recordings/store-readable.js';

const HOUR_NS = 3_600_000_000_000n;
/** Longer than segments are: only segments that begin this long before the time can reach into it. */
const LONGEST_HOURS = 6n;

/**
 * Writes, for each segment of the robot that may reach into the time, the marker of what the request leaves of it. It
 * lists no files: those rows are under the marker of the segment. So sync takes the rest, which lies on the robot as a
 * segment of its own, for sent, and makes no second rows of it. A marker that is there stays.
 */
export async function markRemainders(
  store: Store,
  form: string,
  request: DeletionRequest,
  signal: AbortSignal,
): Promise<void> {
  const owner = `robot=${encodeName(request.robot)}/`;
  for await (const { key, bytes } of store.list(segmentsPrefix(form), { signal })) {
    if (!key.includes(owner) || !mayReach(key, request)) continue;
    const marker = await read(store, key, bytes, signal);
    if (marker === undefined || marker.rows === 0 || marker.robot !== request.robot) continue;
    const rest = restOf(marker, request);
    const place = lakeSegmentKey(form, rest.source.key);
    if (await store.head(place, { signal })) continue;
    await store.put(place, Buffer.from(encodeLake(rest)), { signal });
  }
}

/** By the hour of the first log time in its key; a key without one may. */
function mayReach(key: string, { from, to }: DeletionRequest): boolean {
  const [, day, hour] = /\/date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\//.exec(key) ?? [];
  if (day === undefined || hour === undefined) return true;
  const begin = BigInt(Date.parse(`${day}T${hour}:00:00Z`)) * 1_000_000n;
  return begin <= to && begin + (LONGEST_HOURS + 1n) * HOUR_NS >= from;
}

function restOf(marker: LakeSegment, request: DeletionRequest): LakeSegment {
  const { format, version, form, segment, robot, source, gaps } = marker;
  const { key, name, bytes } = source;
  return {
    ...{ format, version, form, robot, rows: 0, undecoded: 0, files: [], gaps },
    segment: { id: remainderId(segment.id, request), number: segment.number },
    // Without a SHA-256: that of the rest is known where it is made.
    source: { name: remainderName(name, request), key: remainderName(key, request), bytes },
    rowsOf: segment.id,
  };
}

/** Undefined: a damaged one, which readers of the lake report. */
async function read(
  store: Store,
  key: string,
  bytes: number,
  signal: AbortSignal,
): Promise<LakeSegment | undefined> {
  try {
    const text = Buffer.from(await readSmallObject(store, key, bytes, signal)).toString('utf8');
    return decodeLakeSegment(text, key);
  } catch (error) {
    if (isHoldfastError(error, 'MANIFEST_INVALID')) return undefined;
    throw error;
  }
}
