import { NS_PER_S } from '../../core/clock.js';
import { segmentNumber } from '../../core/segment-id.js';
import type { Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';

/** A sealed segment of one robot in a store, as the catalogue has it. */
export interface StoredSegment {
  readonly store: string;
  readonly key: string;
  readonly bytes: number;
  /** Segments of one session and priority with consecutive numbers follow each other without a hole. */
  readonly number: number;
  readonly session: string;
  readonly priority: string;
  /** Log times, nanoseconds since the Unix epoch. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly topics: readonly string[];
}

/** From `fromNs` to `toNs` every message of one priority is in the segments. */
export interface Covered {
  readonly priority: string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

/** Segments around a time: whether the next one follows says what lies between. */
const AROUND_NS = 600n * NS_PER_S;
const MAX_SEGMENTS = 2_000;
/** Consecutive segments overlap by less than this; more comes from a clock that jumped back. */
const OVERLAP_NS = 2n * NS_PER_S;

const FIND = `
  SELECT DISTINCT ON (r.key) s.uri AS store, r.key, r.bytes, r.segment, r.session, r.priority,
    r.first_log_time AS "first", r.last_log_time AS "last",
    array(SELECT c.topic FROM catalogue_channels c WHERE c.channel = ANY(r.channels)) AS topics
  FROM recordings r JOIN catalogue_stores s USING (store)
  WHERE r.robot = $1 AND r.state = 'stored' AND r.first_at <= $3 AND r.last_at >= $2
    AND r.first_log_time IS NOT NULL AND ($5 = '' OR r.vin IN ('', $5))
  ORDER BY r.key LIMIT $4`;

/**
 * The uploaded segments of a robot around a time, in the order of their numbers.
 *
 * @param vehicle.vin - Segments of another vehicle are left out; empty: unknown.
 */
export async function findSegments(
  queries: Queries,
  { robot, vin }: { readonly robot: string; readonly vin: string },
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly StoredSegment[]> {
  const around = [writeTimestamp(fromNs - AROUND_NS), writeTimestamp(toNs + AROUND_NS)];
  const rows = await queries.query<SegmentRow>(FIND, [robot, ...around, MAX_SEGMENTS, vin]);
  return rows
    .map(({ segment, first, last, ...rest }) => ({
      ...rest,
      ...{ number: segmentNumber(segment), firstNs: BigInt(first), lastNs: BigInt(last) },
    }))
    .sort((a, b) => a.number - b.number || Number(a.firstNs - b.firstNs));
}

/** The times of which everything is in the segments, by priority. */
export function coveredBy(segments: readonly StoredSegment[]): readonly Covered[] {
  const covered: Covered[] = [];
  const chains = new Map<string, { covered: Covered; number: number }>();
  for (const { session, priority, number, firstNs, lastNs } of segments) {
    const name = `${session} ${priority}`;
    const chain = chains.get(name);
    const isNext =
      chain !== undefined && number - chain.number <= 1 && firstNs > chain.covered.toNs - OVERLAP_NS;
    if (chain !== undefined && !isNext) covered.push(chain.covered);
    const fromNs = isNext ? chain.covered.fromNs : firstNs;
    const toNs = isNext && chain.covered.toNs > lastNs ? chain.covered.toNs : lastNs;
    chains.set(name, { covered: { priority, fromNs, toNs }, number });
  }
  return [...covered, ...[...chains.values()].map((chain) => chain.covered)];
}

interface SegmentRow {
  readonly store: string;
  readonly key: string;
  readonly bytes: number;
  readonly segment: string;
  readonly session: string;
  readonly priority: string;
  readonly first: string;
  readonly last: string;
  readonly topics: readonly string[];
}
