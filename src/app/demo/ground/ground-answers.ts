import { formatTime } from '../../../core/clock.js';
import { HoldfastError } from '../../../core/errors.js';
import { parseTime } from '../../../core/parse-time.js';
import type { StoredSample } from './compare-history.js';
import type { StoredRollUp } from './compare-roll-ups.js';

/** Time of one question: fewer samples, or roll-ups, than an answer has. */
const [SAMPLES_NS, ROLL_UPS_NS] = [600_000_000_000n, 3_600_000_000_000n];
const PAGE = 500;

interface FieldName {
  readonly robot: string;
  readonly topic: string;
  readonly path: string;
}

/** A point of an answer; `min`, `max` and `count` only of roll-ups. */
interface Point {
  readonly at: string;
  readonly value: number | null;
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
}

/** Every sample of one field that the ground has between two times, by its API. */
export async function storedSamples(
  url: string,
  field: FieldName,
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly StoredSample[]> {
  const points = await readPoints(url, field, 'samples', fromNs, toNs);
  return points.map(({ at, value }) => ({ atNs: parseTime(at) ?? 0n, value }));
}

/** Every roll-up of one field that begins between two times. */
export async function storedRollUps(
  url: string,
  field: FieldName,
  resolution: '1s' | '1min' | '1h',
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly StoredRollUp[]> {
  const points = await readPoints(url, field, resolution, fromNs, toNs);
  return points.map(({ at, value, count = 0, min = NaN, max = NaN }) => ({
    ...{ atNs: parseTime(at) ?? 0n, count, min, max, last: value ?? NaN },
  }));
}

async function readPoints(
  url: string,
  { robot, topic, path }: FieldName,
  resolution: string,
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly Point[]> {
  const found: Point[] = [];
  const lengthNs = resolution === 'samples' ? SAMPLES_NS : ROLL_UPS_NS;
  for (let at = fromNs; at < toNs; at += lengthNs) {
    const end = at + lengthNs < toNs ? at + lengthNs : toNs;
    const query = new URLSearchParams({
      ...{ topic, path, from: formatTime(at), to: formatTime(end), resolution },
    });
    const answer = await ask<{
      readonly truncated: boolean;
      readonly series: readonly { readonly points: readonly Point[] }[];
    }>(`${url}/api/robots/${robot}/history?${query.toString()}`);
    if (answer.truncated) throw new HoldfastError('INTERNAL', `the history of ${robot} is truncated`);
    for (const { points } of answer.series) found.push(...points);
  }
  return found;
}

/** Keys of all recordings that the catalogue of the ground has as stored. */
export async function cataloguedKeys(url: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  let after: string | undefined;
  do {
    const query = new URLSearchParams({
      ...{ state: 'stored', limit: String(PAGE) },
      ...(after === undefined ? {} : { after }),
    });
    const answer = await ask<{
      readonly recordings: readonly { readonly key: string }[];
      readonly next?: string;
    }>(`${url}/api/recordings?${query.toString()}`);
    for (const { key } of answer.recordings) keys.add(key);
    after = answer.next;
  } while (after !== undefined);
  return keys;
}

async function ask<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  if (!answer.ok)
    throw new HoldfastError(
      'INTERNAL',
      `${url} answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`,
    );
  return (await answer.json()) as T;
}
