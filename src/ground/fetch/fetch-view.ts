import { stateOfAnswers, type Amount, type FetchRequest, type FetchState } from '../../core/fetch-request.js';
import type { FetchUpdate } from '../../uplink/protocol/fetch-update.js';

/** The way of a request to its robot. */
export type FetchWay = 'uplink' | 'store';

/** `withdrawn`: somebody has withdrawn it; the others are those of a robot. */
export type FetchViewState = FetchState | 'withdrawn';

/** A request as the ground keeps it. */
export interface KeptRequest {
  readonly request: FetchRequest;
  readonly via: FetchWay;
  readonly state: FetchViewState;
  /** What the ground says about it; may be empty. */
  readonly reason: string;
  /** What each place of the robot said last. */
  readonly answers: readonly FetchUpdate[];
  /** Nanoseconds since the Unix epoch, on the clock of the ground. */
  readonly updatedAt: bigint;
  readonly endedAt: bigint | undefined;
}

/** A request as the API shows it. */
export interface FetchView {
  readonly id: string;
  readonly robot: string;
  /** Log times, decimal nanoseconds since the Unix epoch. */
  readonly from: string;
  readonly to: string;
  readonly topics: readonly string[];
  readonly by: string;
  readonly via: FetchWay;
  readonly state: FetchViewState;
  /** Why it is in this state; may be empty. */
  readonly reason: string;
  /** Milliseconds since the Unix epoch, on the clock of the ground. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly updatedAtMs: number;
  readonly endedAtMs: number | null;
  /** The robot has the request. */
  readonly isSeen: boolean;
  readonly matched: Amount;
  readonly stored: Amount;
  /** Bytes that were sent, with those of the segment under way. */
  readonly sentBytes: number;
  readonly isRecording: boolean;
  readonly segments: FetchUpdate['segments'];
  readonly gone: FetchUpdate['gone'];
  readonly goneSegments: number;
}

/** Without the answer of the recorder, once sync of a store has answered. */
export function answersThatCount(answers: readonly FetchUpdate[]): readonly FetchUpdate[] {
  const given = answers.filter(({ place }) => place !== '');
  return given.length > 0 ? given : answers;
}

/** The state by what the robot says. */
export function stateBy(answers: readonly FetchUpdate[]): FetchState {
  return stateOfAnswers(answersThatCount(answers));
}

/** What the API shows. Several stores hold the same segments: the amounts are those of the one with most left. */
export function viewOf({ request, via, state, reason, answers, updatedAt, endedAt }: KeptRequest): FetchView {
  const { id, robot, from, to, topics = [], by = '', createdAt, expiresAt } = request;
  const counted = answersThatCount(answers);
  const missing = (one: FetchUpdate): number => one.matched.bytes - one.stored.bytes - one.sendingBytes;
  const [shown] = [...counted].sort((a, b) => missing(b) - missing(a));
  const none = { segments: 0, bytes: 0 };
  return {
    ...{ id, robot, from, to, topics, by, via, state },
    reason: reason || (counted.find((one) => one.state === state)?.reason ?? ''),
    ...{ createdAtMs: msOf(BigInt(createdAt)), expiresAtMs: msOf(BigInt(expiresAt)) },
    ...{ updatedAtMs: msOf(updatedAt), endedAtMs: endedAt === undefined ? null : msOf(endedAt) },
    isSeen: answers.length > 0,
    ...{ matched: shown?.matched ?? none, stored: shown?.stored ?? none },
    sentBytes: (shown?.stored.bytes ?? 0) + (shown?.sendingBytes ?? 0),
    isRecording: counted.some((one) => one.isRecording),
    ...{ segments: shown?.segments ?? [], gone: shown?.gone ?? [], goneSegments: shown?.goneSegments ?? 0 },
  };
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
