import type { StoredSample } from './compare-history.js';

/** What the ground keeps of the samples of a second, a minute or an hour. */
export interface StoredRollUp {
  /** Its beginning. */
  readonly atNs: bigint;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** The value that was sampled last. */
  readonly last: number;
}

/**
 * Counts the roll-ups of one field that differ from its samples, those that are missing, and those of no sample.
 *
 * @param samples - All that lie in the time of the roll-ups. A sample without a value is in no roll-up.
 * @param stepNs - Time that a roll-up stands for.
 */
export function wrongRollUps(
  samples: readonly StoredSample[],
  rollUps: readonly StoredRollUp[],
  stepNs: bigint,
): number {
  const wanted = new Map<bigint, StoredRollUp>();
  for (const { atNs, value } of samples.toSorted((a, b) => (a.atNs < b.atNs ? -1 : 1))) {
    if (value === null) continue;
    const begin = atNs - (atNs % stepNs);
    const { count, min, max } = wanted.get(begin) ?? { count: 0, min: Infinity, max: -Infinity };
    wanted.set(begin, {
      ...{ atNs: begin, count: count + 1, last: value },
      ...{ min: Math.min(min, value), max: Math.max(max, value) },
    });
  }
  const seen = new Set(rollUps.map(({ atNs }) => atNs));
  const missing = [...wanted.keys()].filter((begin) => !seen.has(begin)).length;
  return missing + rollUps.filter((one) => !isSame(one, wanted.get(one.atNs))).length;
}

function isSame(one: StoredRollUp, other: StoredRollUp | undefined): boolean {
  return (
    one.count === other?.count && one.min === other.min && one.max === other.max && one.last === other.last
  );
}
