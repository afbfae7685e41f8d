import type { FetchAnswer, FetchedState, FetchRequest } from '../core/fetch-request.js';
import { ANSWER_SEGMENTS_MAX, REQUEST_MAX_DAYS, requestKey } from '../core/fetch-request.js';
import { NS_PER_MS } from '../core/clock.js';
import type { GoneSegment, MatchedSegment } from './fetch-match.js';
import type { SegmentEntry, SegmentTable } from './segment-table.js';

const DAY_NS = 86_400_000n * NS_PER_MS;

/** Where a request lies, and where its answer goes. */
export interface RequestPlace {
  /** Names the place. */
  readonly origin: string;
  /** An answer is not written more often, except the last one, milliseconds. */
  readonly everyMs: number;
  readonly write: (answer: FetchAnswer) => Promise<void>;
  /** It has a final answer, and is not taken again. */
  readonly settle: () => Promise<void>;
}

/** A request that is worked on. */
export interface OpenRequest extends RequestPlace {
  readonly request: FetchRequest;
  /** The sealed names whose manifests were compared. */
  readonly seen: Set<string>;
  readonly matched: Map<string, MatchedSegment>;
  readonly gone: GoneSegment[];
  /** The store was asked for what is gone. */
  isStoreAsked: boolean;
  told: string;
  /** When the answer was written last, monotonic nanoseconds. */
  toldAt: bigint | undefined;
}

/** Requests that are worked on, by id. */
export type OpenRequests = Map<string, OpenRequest>;

export function openRequest(request: FetchRequest, place: RequestPlace): OpenRequest {
  return {
    ...{ ...place, request, seen: new Set(), matched: new Map(), gone: [] },
    ...{ isStoreAsked: false, told: '', toldAt: undefined },
  };
}

export interface AnswerFacts {
  readonly table: Pick<SegmentTable, 'get'>;
  /** The time of the answer, nanoseconds since the Unix epoch. */
  readonly now: bigint;
  /** Part of the time is not sealed yet. */
  readonly isRecording: boolean;
  /** Share of a segment that was sent, 0 to 1. */
  readonly progressOf: (name: string) => number | undefined;
}

/** What to say about a request, from the present places of its segments. */
export function composeAnswer(
  { request, matched, gone, isStoreAsked }: OpenRequest,
  { table, now, isRecording, progressOf }: AnswerFacts,
): FetchAnswer {
  const segments = [...matched.values()].flatMap((segment) => {
    const entry = table.get(segment.name);
    // Evicted since: the store has it, or a tombstone says that it is gone.
    const isGone = entry === undefined && gone.some(({ name }) => name === segment.name);
    return isGone ? [] : [{ ...segment, ...placeOf(entry) }];
  });
  const stored = segments.filter(({ state }) => state === 'stored');
  const isSettled = segments.every(({ state }) => state === 'stored' || state === 'parked');
  const sending = segments.find(({ state }) => state === 'sending');
  const progress = sending && progressOf(sending.name);
  const isExpired = now > BigInt(request.expiresAt);
  const state = isSettled && !isRecording && isStoreAsked ? 'done' : isExpired ? 'expired' : undefined;
  const hasBegun = stored.length > 0 || sending !== undefined;
  return {
    ...{ format: 'holdfast-answer', version: 1, id: request.id, robot: request.robot },
    state: state ?? (hasBegun ? 'sending' : 'queued'),
    at: String(now),
    ...(state === 'expired' ? { reason: 'the request expired before everything was in the store' } : {}),
    matched: amountOf(segments),
    stored: amountOf(stored),
    ...(progress === undefined ? {} : { progress: Math.round(progress * 100) / 100 }),
    ...{ segments: segments.slice(-ANSWER_SEGMENTS_MAX), gone, isRecording },
  };
}

/** The answer to a request that is not valid. */
export function refusalOf({ id, robot }: FetchRequest, now: bigint, reason: string): FetchAnswer {
  const none = { segments: 0, bytes: 0 };
  return {
    ...{ format: 'holdfast-answer', version: 1, id, robot, state: 'refused', at: String(now), reason },
    ...{ matched: none, stored: none, segments: [], gone: [], isRecording: false },
  };
}

/** Faults that the schema cannot state. */
export function faultOf(request: FetchRequest, key: string): string | undefined {
  const { from, to, createdAt, expiresAt } = request;
  if (requestKey(request) !== key) return `its robot or its id does not belong to the key ${key.slice(-120)}`;
  if (BigInt(from) > BigInt(to)) return `from (${from}) is after to (${to})`;
  if (BigInt(expiresAt) - BigInt(createdAt) > BigInt(REQUEST_MAX_DAYS) * DAY_NS) {
    return `it expires more than ${REQUEST_MAX_DAYS} days after its creation`;
  }
  return undefined;
}

function placeOf(entry: SegmentEntry | undefined): { state: FetchedState; reason?: string } {
  switch (entry?.state) {
    case undefined:
    case 'verified':
      return { state: 'stored' };
    case 'active':
      return { state: 'sending' };
    case 'parked':
      return { state: 'parked', reason: (entry.alarm?.message ?? 'the store refuses it').slice(0, 500) };
    case 'skipped':
      return { state: 'parked', reason: 'this store does not take it (options of the sink)' };
    case 'pending':
    case 'held':
      return { state: 'waiting' };
  }
}

function amountOf(segments: readonly { readonly bytes: number }[]): FetchAnswer['matched'] {
  return { segments: segments.length, bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0) };
}
