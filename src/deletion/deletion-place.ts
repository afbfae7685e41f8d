import type { DeletedFacts, Manifest } from '../core/manifest.js';
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
}

/** Something that may hold what the request names, and stays. */
export interface KeptObject {
  readonly key: string;
  readonly bytes: number;
  readonly why: string;
}

/** What a deletion would do in one place. */
export interface PlacePlan {
  /** Path of the data folder, or URI of the store. */
  readonly place: string;
  readonly kind: 'data' | 'store';
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
  /** Changes nothing. */
  survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan>;
  /**
   * Removes one segment and leaves a tombstone. May be repeated after an interruption at any point. Resolves to the
   * reason if it could not be removed. Throws errors after which the same call may succeed.
   */
  remove(object: PlannedObject, facts: DeletedFacts): Promise<string | undefined>;
}

/** Throws nothing: only manifests with messages are planned. */
export function plannedObject(key: string, { file, messages, ...times }: Manifest): PlannedObject {
  const { firstLogTime = '0', lastLogTime = firstLogTime } = times;
  return { key, bytes: file.bytes, crc32: file.crc32, messages, firstLogTime, lastLogTime };
}

/** Why a planned segment is left alone now: another one has its place. */
export const CHANGED = 'it changed since the plan was made';
