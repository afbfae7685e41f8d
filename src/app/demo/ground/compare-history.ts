import { difference } from '../../../uplink/protocol/circle.js';
import { TICK_NS } from '../../../uplink/robot/uplink-pace.js';
import type { RecordedSamples } from './recorded-samples.js';

/** A sample of the ground; null: the robot had no value. */
export interface StoredSample {
  readonly atNs: bigint;
  readonly value: number | null;
}

/** One field of one robot: the history of the ground against the recordings. */
export interface FieldComparison {
  readonly robot: string;
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
  readonly threshold: number;
  /** Samples of the ground. */
  readonly stored: number;
  /** Of these, compared with the recording. */
  readonly compared: number;
  /** Largest distance from the recording, in thresholds. */
  readonly worst: number;
  /** Further than the threshold from the recording, or without a counterpart there. */
  readonly outside: number;
  /** Samples that the recording has and the ground lacks. */
  readonly holes: number;
  readonly twice: number;
  /** Sampled from messages that a kill took before they were on disk: there is nothing to compare with. */
  readonly beforeKill: number;
}

/** A killed process may have recorded messages that it had no time to sample. */
const KILL_TAIL_NS = 1_000_000_000n;
/** The last tick of a recorder that ends may lie after its last turn. */
const END_TAIL_NS = 300_000_000n;
/** The uplink of a recorder starts so long after its first message, at most. */
const START_NS = 5_000_000_000n;
const ROUNDING = 1e-9;

/**
 * Compares one field.
 *
 * @param recorded - Of the field, one for each life of the robot.
 * @param stored - All samples of the field at the ground.
 */
export function compareHistory(
  robot: string,
  recorded: readonly RecordedSamples[],
  stored: readonly StoredSample[],
): FieldComparison | undefined {
  const spec = recorded[0]?.spec;
  if (spec === undefined) return undefined;
  const tally = { compared: 0, worst: 0, outside: 0, twice: 0, beforeKill: 0 };
  const seen = new Set<bigint>();
  for (const { atNs, value } of stored) {
    if (seen.has(atNs)) tally.twice++;
    seen.add(atNs);
    const life = recorded.findLast((one) => atNs >= one.life.fromNs);
    if (life !== undefined && atNs > life.lastMessageNs) {
      tally.beforeKill++;
      continue;
    }
    tally.compared++;
    const distance = distanceOf(value, life?.values.get(atNs), life ?? recorded[0]);
    tally.worst = Math.max(tally.worst, distance);
    if (!(distance <= 1 + ROUNDING)) tally.outside++;
  }
  const holes = recorded.reduce((sum, life) => sum + holesIn(life, seen), 0);
  const { topic, path, unit, threshold } = spec;
  return { robot, topic, path, unit, threshold, stored: stored.length, ...tally, holes };
}

/** In thresholds; infinite if only one of them has a value. */
function distanceOf(
  stored: number | null,
  measured: number | undefined,
  recorded: RecordedSamples | undefined,
): number {
  if (measured === undefined || recorded === undefined) return Infinity;
  if (stored === null || !Number.isFinite(measured))
    return stored === null && !Number.isFinite(measured) ? 0 : Infinity;
  const { circle, threshold } = recorded.spec;
  const apart = Math.abs(difference(stored, measured, circle));
  return threshold > 0 ? apart / threshold : apart === 0 ? 0 : Infinity;
}

/** Where stored samples of a life are further apart than the field is sampled. */
function holesIn({ spec, life, due, lastMessageNs }: RecordedSamples, seen: ReadonlySet<bigint>): number {
  const periodNs = BigInt(spec.everyTicks) * BigInt(TICK_NS);
  const until = lastMessageNs - (life.isKilled === true ? KILL_TAIL_NS : END_TAIL_NS);
  const end = life.toNs ?? lastMessageNs;
  const times = [...seen].filter((atNs) => atNs >= life.fromNs && atNs <= end);
  times.sort((a, b) => Number(a - b));
  const latest = (due[0] ?? until) + START_NS;
  let before = times[0] !== undefined && times[0] < latest ? times[0] : latest;
  let holes = 0n;
  for (const atNs of [...times, until + 1n]) {
    if (atNs - before > periodNs) holes += (atNs - before - 1n) / periodNs;
    if (atNs > before) before = atNs;
  }
  return Number(holes);
}
