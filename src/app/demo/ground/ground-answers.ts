import { formatTime } from '../../../core/clock.js';
import { HoldfastError } from '../../../core/errors.js';
import { parseTime } from '../../../core/parse-time.js';
import type { StoredSample } from './compare-history.js';

/** Time of one question: fewer samples than an answer has. */
const QUESTION_NS = 600_000_000_000n;
const PAGE = 500;

/** Every sample of one field that the ground has between two times, by its API. */
export async function storedSamples(
  url: string,
  { robot, topic, path }: { readonly robot: string; readonly topic: string; readonly path: string },
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly StoredSample[]> {
  const found: StoredSample[] = [];
  for (let at = fromNs; at < toNs; at += QUESTION_NS) {
    const end = at + QUESTION_NS < toNs ? at + QUESTION_NS : toNs;
    const query = new URLSearchParams({
      ...{ topic, path, from: formatTime(at), to: formatTime(end), resolution: 'samples' },
    });
    const answer = await ask<{
      readonly truncated: boolean;
      readonly series: readonly {
        readonly points: readonly { readonly at: string; readonly value: number | null }[];
      }[];
    }>(`${url}/api/robots/${robot}/history?${query.toString()}`);
    if (answer.truncated) throw new HoldfastError('INTERNAL', `the history of ${robot} is truncated`);
    for (const { points } of answer.series)
      found.push(...points.map((point) => ({ atNs: parseTime(point.at) ?? 0n, value: point.value })));
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
