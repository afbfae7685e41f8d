import { describeError, isHoldfastError } from '../core/errors.js';
import type { DeletedFacts, Manifest } from '../core/manifest.js';
import { cutGapId } from './cut-segment.js';
import type { DeletionRequest } from './deletion-request.js';
import type { HoldBook } from './hold-book.js';
import type { LegalHold } from './legal-hold.js';

/** A segment that the plan removes from a place. */
export interface PlannedObject {
  /** The sealed name without its end, or the key in the store. */
  readonly key: string;
  readonly bytes: number;
  readonly crc32: number;
  readonly messages: number;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly firstLogTime: string;
  readonly lastLogTime: string;
  /** Only a part of it goes; the members are those of the whole. */
  readonly part?: true;
}

/** What was removed from a place: a segment, or a part of one. */
export interface RemovedObject extends PlannedObject {
  /** With `part`: `messages` and the times are those of the part, and this is the segment with the rest. */
  readonly remainder?: Remainder;
}

/** The segment with what is left of another one. */
export interface Remainder {
  readonly key: string;
  readonly bytes: number;
  readonly crc32: number;
  readonly messages: number;
}

/** What came of a removal. */
export type Removal =
  | { readonly kind: 'removed'; readonly object: RemovedObject }
  /** The segment has nothing that the request names, although its times and topics fit. */
  | { readonly kind: 'none' }
  | { readonly kind: 'kept'; readonly why: string };

/** Something that may hold what the request names, and stays. */
export interface KeptObject {
  readonly key: string;
  readonly bytes: number;
  readonly why: string;
}

/** What a deletion would do in one place. */
export interface PlacePlan {
  /** Path of the data folder, or URI of the store; of the tables of its lakes, `lake ` before it; address of the ground. */
  readonly place: string;
  readonly kind: 'data' | 'store' | 'lake' | 'ground';
  readonly remove: readonly PlannedObject[];
  readonly keep: readonly KeptObject[];
  /** Sentences for the receipt. */
  readonly notes: readonly string[];
}

/** A place with segments: the port of a deletion. */
export interface DeletionPlace {
  readonly place: string;
  readonly kind: PlacePlan['kind'];
  readonly holds: HoldBook;
  /** It keeps what a hold covers itself, row by row. Absent: a hold on any of an object keeps all of it. */
  readonly judgesHolds?: true;
  /** Changes nothing. */
  survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan>;
  /**
   * Removes one segment and leaves a tombstone. May be repeated after an interruption at any point. Resolves to the
   * reason if it could not be removed. Throws errors after which the same call may succeed.
   */
  remove(
    object: PlannedObject,
    facts: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[],
  ): Promise<string | undefined>;
  /**
   * Replaces one segment by another one with what the request leaves of it, and leaves a tombstone. May be repeated and
   * throws as {@link DeletionPlace.remove}.
   */
  cut(
    object: PlannedObject,
    facts: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[],
  ): Promise<Removal>;
  /** The tombstones that the removals of this plan left here, and that sync has not sent yet. */
  tombstones?(plan: string): Promise<readonly Manifest[]>;
  /**
   * Keeps sync from bringing segments that were removed elsewhere, whose upload may be under way, and aborts unfinished
   * uploads of them and of the keys that were removed here. Resolves to what the store refuses. May be repeated.
   */
  shut?(tombstones: readonly Manifest[], removed: readonly string[]): Promise<readonly KeptObject[]>;
  /** Called when all was removed. May be repeated. */
  finish?(request: DeletionRequest): Promise<void>;
}

/** Throws nothing: only manifests with messages are planned. */
export function plannedObject(key: string, { file, messages, ...times }: Manifest): PlannedObject {
  const { firstLogTime = '0', lastLogTime = firstLogTime } = times;
  return { key, bytes: file.bytes, crc32: file.crc32, messages, firstLogTime, lastLogTime };
}

/** What was removed of a segment, by the manifest of what is left of it, which lies under this key. */
export function removedPart(
  { key, bytes, crc32 }: PlannedObject,
  remainderKey: string,
  remainder: Manifest,
): RemovedObject {
  const gap = remainder.gaps.find(({ id }) => id === cutGapId(remainder.segment.id));
  const { firstTime = '0', lastTime = firstTime } = gap ?? {};
  const { file, messages } = remainder;
  return {
    ...{ key, bytes, crc32, messages: gap?.count ?? 0, firstLogTime: firstTime, lastLogTime: lastTime },
    part: true,
    remainder: { key: remainderKey, bytes: file.bytes, crc32: file.crc32, messages },
  };
}

/** Why the content of a segment keeps a part of it from being removed, as a text. Throws what may pass. */
export async function orRefusal<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    return `a part of it cannot be removed: ${describeError(error)}`;
  }
}

/** Why a planned segment is left alone now: another one has its place. */
export const CHANGED = 'it changed since the plan was made';
