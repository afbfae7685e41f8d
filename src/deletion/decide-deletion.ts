import type { Manifest } from '../core/manifest.js';
import { matches } from '../core/name-pattern.js';
import type { DeletionRequest } from './deletion-request.js';
import { holdOn, type LegalHold } from './legal-hold.js';
import { isRemainderAfter } from './remainder-name.js';

/** What a deletion does with one segment. */
export type DeletionDecision =
  /** It has nothing of what the request names. */
  | { readonly kind: 'none' }
  | { readonly kind: 'remove' }
  /** Only a part of it goes, and the rest is written again. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'keep'; readonly why: string };

const none = { kind: 'none' } as const;

/**
 * Decides for the plan whether a request deletes a segment. A legal hold on any of it keeps all of it. Holds that come
 * after the plan count when it is carried out.
 */
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
  if (isInside && named.length === recorded.length) return { kind: 'remove' };
  return isRemainderAfter(manifest, request) ? none : { kind: 'cut' };
}

function overlaps({ from, to }: DeletionRequest, first: string, last: string): boolean {
  return BigInt(first) <= to && BigInt(last) >= from;
}
