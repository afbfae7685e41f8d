import { documentKind } from './documents/document.js';
import { fetchAnswerSchema, fetchRequestSchema } from './documents/fetch-schemas.js';
import { LAKE_FOLDER } from './lake-manifest.js';
import { encodeName } from './name-encoding.js';

/*
 * A request for recorded segments of a robot, as an object of the store. Listings of recordings skip the folder.
 *
 *     _holdfast/requests/robot=<robot>/<id>.json                      the request, written once
 *     _holdfast/requests/robot=<robot>/<id>.<data folder>.answer      what sync says about it, replaced as it proceeds
 */

/** Maximum size of a request, bytes. */
export const REQUEST_DOCUMENT_MAX_BYTES = 64 * 1024;
/** Maximum size of an answer, bytes. */
export const ANSWER_DOCUMENT_MAX_BYTES = 1024 * 1024;
/** Maximum number of segments that an answer lists; it counts all. */
export const ANSWER_SEGMENTS_MAX = 500;
/** Longest time from the creation of a request to its expiry, days. */
export const REQUEST_MAX_DAYS = 90;

const FOLDER = `${LAKE_FOLDER}/requests/`;
const ID = '[0-9a-f]{32}';

/** Which segments are wanted. Times are decimal nanoseconds since the Unix epoch. */
export interface FetchRequest {
  readonly format: 'holdfast-request';
  readonly version: 1;
  /** 32 hex digits. */
  readonly id: string;
  readonly robot: string;
  /** Log times, inclusive. */
  readonly from: string;
  readonly to: string;
  /** Only segments with one of these; `*` stands for any text. Absent: all. */
  readonly topics?: readonly string[];
  readonly createdAt: string;
  /** After it, the robot no longer works on it. */
  readonly expiresAt: string;
  /** Who asks, for people. */
  readonly by?: string;
}

/**
 * - `queued`: nothing was sent yet. `sending`: some is in the store, or on its way.
 * - `done`: everything that the robot has is in the store, or cannot go there (`parked`).
 * - `expired`, `refused`: the robot does not work on it; `reason` says why.
 */
export type FetchState = 'queued' | 'sending' | 'done' | 'expired' | 'refused';

/** `waiting`: in the queue. `parked`: the store refuses it. */
export type FetchedState = 'stored' | 'waiting' | 'sending' | 'parked';

export interface Amount {
  readonly segments: number;
  readonly bytes: number;
}

/** What sync of one data folder says about a request. */
export interface FetchAnswer {
  readonly format: 'holdfast-answer';
  readonly version: 1;
  readonly id: string;
  readonly robot: string;
  readonly state: FetchState;
  /** When it was written, on the clock of the robot. */
  readonly at: string;
  readonly reason?: string;
  /** Segments on the robot that match. */
  readonly matched: Amount;
  /** How much of that is in the store. */
  readonly stored: Amount;
  /** Share of the segment that is being sent, 0 to 1. */
  readonly progress?: number;
  /** The newest {@link ANSWER_SEGMENTS_MAX}. */
  readonly segments: readonly {
    readonly name: string;
    readonly key: string;
    readonly bytes: number;
    readonly state: FetchedState;
    readonly reason?: string;
  }[];
  /** Matching segments that were evicted before their upload. */
  readonly gone: readonly {
    readonly name: string;
    readonly firstLogTime?: string;
    readonly lastLogTime?: string;
    readonly messages: number;
    readonly bytes: number;
    readonly at: string;
    readonly reason: string;
  }[];
  /** Part of the time is not sealed yet: the request stays open until it is. */
  readonly isRecording: boolean;
}

const requests = documentKind<FetchRequest>('request', fetchRequestSchema);
const answers = documentKind<FetchAnswer>('answer', fetchAnswerSchema);

export function encodeRequest(request: FetchRequest): string {
  return `${JSON.stringify(request)}\n`;
}

/** Throws `MANIFEST_INVALID`. */
export function decodeRequest(text: string, name: string): FetchRequest {
  return requests.parse(text, name);
}

export function encodeAnswer(answer: FetchAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}

/** Throws `MANIFEST_INVALID`. */
export function decodeAnswer(text: string, name: string): FetchAnswer {
  return answers.parse(text, name);
}

/** The prefix of all requests to a robot. */
export function requestPrefix(robot: string): string {
  return requestPrefixOf(encodeName(robot));
}

/** The same for a name as it stands in keys and file names. */
export function requestPrefixOf(encodedRobot: string): string {
  return `${FOLDER}robot=${encodedRobot}/`;
}

export function requestKey({ robot, id }: Pick<FetchRequest, 'robot' | 'id'>): string {
  return `${requestPrefix(robot)}${id}.json`;
}

/** The id of a request from its key; undefined for other objects. */
export function requestIdOf(key: string): string | undefined {
  return new RegExp(`/(${ID})\\.json$`).exec(key)?.[1];
}

/** @param folder - 16 hex digits that name the data folder. */
export function answerKey(prefix: string, id: string, folder: string): string {
  return `${prefix}${id}.${folder}.answer`;
}

/** The id of the request of an answer. */
export function answeredIdOf(key: string): string | undefined {
  return new RegExp(`/(${ID})\\.[0-9a-f]{16}\\.answer$`).exec(key)?.[1];
}

/** Whether a text is the id of a request. */
export function isRequestId(text: string): boolean {
  return new RegExp(`^${ID}$`).test(text);
}

const order: readonly FetchState[] = ['sending', 'queued', 'refused', 'expired', 'done'];

/** The state of a request by its answers: the one that is furthest from done. */
export function stateOfAnswers(answers: readonly Pick<FetchAnswer, 'state'>[]): FetchState {
  return order.find((state) => answers.some((answer) => answer.state === state)) ?? 'queued';
}

export function isFinal({ state }: Pick<FetchAnswer, 'state'>): boolean {
  return state === 'done' || state === 'expired' || state === 'refused';
}
