import { NS_PER_MS } from '../core/clock.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import {
  ANSWER_DOCUMENT_MAX_BYTES,
  answeredIdOf,
  decodeAnswer,
  decodeRequest,
  encodeRequest,
  REQUEST_DOCUMENT_MAX_BYTES,
  REQUEST_MAX_DAYS,
  requestIdOf,
  requestKey,
  requestPrefix,
  stateOfAnswers,
  type FetchAnswer,
  type FetchRequest,
  type FetchState,
} from '../core/fetch-request.js';
import { randomHex, type RandomBytes } from '../core/identity.js';
import type { ObjectInfo, Store } from '../core/store.js';
import { readSmallObject } from './store-readable.js';

const DAY_NS = 86_400_000n * NS_PER_MS;

/** What is wanted from a robot. */
export interface Wanted {
  readonly robot: string;
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from: bigint;
  readonly to: bigint;
  readonly topics?: readonly string[];
  /** Days until the robot gives up; 1 to {@link REQUEST_MAX_DAYS}. */
  readonly days: number;
  readonly by?: string;
}

/** A request and the answers of the data folders that have seen it. */
export interface KnownRequest {
  readonly request: FetchRequest;
  /** `queued` until somebody has answered; `done` when all that answered are. */
  readonly state: FetchState;
  readonly answers: readonly FetchAnswer[];
}

export interface PrepareFacts {
  /** Nanoseconds since the Unix epoch. */
  readonly now: bigint;
  readonly random: RandomBytes;
}

/** A new request. Throws `CONFIG_INVALID`. */
export function prepareRequest(
  { robot, from, to, topics, days, by }: Wanted,
  { now, random }: PrepareFacts,
): FetchRequest {
  const request: FetchRequest = {
    ...{ format: 'holdfast-request', version: 1, id: randomHex(random, 16), robot },
    ...{ from: String(from), to: String(to), ...(topics && { topics }) },
    createdAt: String(now),
    expiresAt: String(now + BigInt(Math.round(days * 86_400)) * 1_000_000_000n),
    ...(by === undefined ? {} : { by }),
  };
  const fault = faultOf(request);
  if (fault !== undefined) throw new HoldfastError('CONFIG_INVALID', fault);
  return request;
}

/** Writes a new request into the store. Throws `CONFIG_INVALID`, and the errors of the store. */
export async function requestSegments(
  store: Store,
  wanted: Wanted,
  facts: PrepareFacts,
): Promise<FetchRequest> {
  const request = prepareRequest(wanted, facts);
  await putRequest(store, request);
  return request;
}

/** Writes a request into the store. Throws the errors of the store. */
export async function putRequest(store: Store, request: FetchRequest): Promise<void> {
  await store.put(requestKey(request), Buffer.from(encodeRequest(request)), { ifAbsent: true });
}

function faultOf(request: FetchRequest): string | undefined {
  const { from, to, createdAt, expiresAt } = request;
  if (BigInt(from) > BigInt(to)) return `from is after to (${from}, ${to})`;
  const lasts = BigInt(expiresAt) - BigInt(createdAt);
  if (lasts < DAY_NS / 24n || lasts > BigInt(REQUEST_MAX_DAYS) * DAY_NS) {
    return `the request would expire after ${Number(lasts) / 86_400e9} days, allowed: 0.05 to ${REQUEST_MAX_DAYS}`;
  }
  try {
    decodeRequest(encodeRequest(request), 'the request');
    return undefined;
  } catch (error) {
    if (isHoldfastError(error, 'MANIFEST_INVALID')) return error.message;
    throw error;
  }
}

export interface ListRequestsOptions {
  readonly signal?: AbortSignal;
  /** Only these; absent: all. */
  readonly ids?: ReadonlySet<string>;
}

/** The requests to a robot, oldest first; `onProblem` is called for objects that are not usable. */
export async function listRequests(
  store: Store,
  robot: string,
  onProblem: (where: string, reason: string) => void,
  { signal, ids }: ListRequestsOptions = {},
): Promise<KnownRequest[]> {
  const requests: FetchRequest[] = [];
  const answers = new Map<string, FetchAnswer[]>();
  for await (const info of store.list(requestPrefix(robot), signal === undefined ? {} : { signal })) {
    const answered = answeredIdOf(info.key);
    const requested = requestIdOf(info.key);
    if (ids !== undefined && !ids.has(answered ?? requested ?? '')) continue;
    try {
      if (requested !== undefined) {
        const request = decodeRequest(await text(store, info, REQUEST_DOCUMENT_MAX_BYTES, signal), info.key);
        if (requestKey(request) === info.key) requests.push(request);
      } else if (answered !== undefined) {
        const answer = decodeAnswer(await text(store, info, ANSWER_DOCUMENT_MAX_BYTES, signal), info.key);
        answers.set(answered, [...(answers.get(answered) ?? []), answer]);
      }
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      onProblem(info.key, error.message);
    }
  }
  return requests
    .map((request) => {
      const given = answers.get(request.id) ?? [];
      return { request, state: stateOfAnswers(given), answers: given };
    })
    .sort((a, b) => (BigInt(a.request.createdAt) < BigInt(b.request.createdAt) ? -1 : 1));
}

/** Withdraws a request: the robot forgets it at its next look. */
export async function withdrawRequest(store: Store, request: FetchRequest): Promise<void> {
  await store.delete(requestKey(request));
}

async function text(
  store: Store,
  { key, bytes }: ObjectInfo,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (bytes > maxBytes) {
    throw new HoldfastError('MANIFEST_INVALID', `${key} has ${bytes} bytes, allowed: ${maxBytes}`);
  }
  return Buffer.from(await readSmallObject(store, key, bytes, signal)).toString('utf8');
}
