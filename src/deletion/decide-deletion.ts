import type { Manifest } from '../core/manifest.js';
import { matches } from '../core/name-pattern.js';
import type { DeletionRequest } from './deletion-request.js';
import { holdOn, type LegalHold } from './legal-hold.js';

/** What a deletion does with one segment. */
export type DeletionDecision =
  /** It has nothing of what the request names. */
  { readonly kind: 'none' } | { readonly kind: 'remove' } | { readonly kind: 'keep'; readonly why: string };

const none = { kind: 'none' } as const;

/** The only place that decides whether a request deletes a segment. A legal hold on any of it keeps all of it. */
export function decideDeletion(
  manifest: Manifest,
  request: DeletionRequest,
  holds: readonly LegalHold[],
): DeletionDecision {
  const { robot, firstLogTime, lastLogTime, evicted } = manifest;
  if (robot !== request.robot || evicted !== undefined) return none;
  if (firstLogTime === undefined || lastLogTime === undefined) return none;
  const recorded = manifest.channels.filter(({ count }) => count > 0);
  const named = recorded.filter(({ topic }) => matches(request.topics, topic));
  const isHit = named.some((channel) =>
    overlaps(request, channel.firstLogTime ?? firstLogTime, channel.lastLogTime ?? lastLogTime),
  );
  if (!isHit) return none;
  const hold = holdOn({ robot, firstLogTime, lastLogTime }, holds);
  if (hold) return { kind: 'keep', why: `legal hold ${hold.id}: ${hold.reason}` };
  const isInside = BigInt(firstLogTime) >= request.from && BigInt(lastLogTime) <= request.to;
  if (!isInside) return { kind: 'keep', why: 'it also has messages of another time' };
  if (named.length < recorded.length) return { kind: 'keep', why: 'it also has messages of other topics' };
  return { kind: 'remove' };
}

function overlaps({ from, to }: DeletionRequest, first: string, last: string): boolean {
  return BigInt(first) <= to && BigInt(last) >= from;
}
