import { HoldfastError } from '../core/errors.js';
import type { DeletionPlace, PlacePlan } from './deletion-place.js';
import {
  requestToJson,
  shortDigest,
  type DeletionRequest,
  type DeletionRequestJson,
} from './deletion-request.js';
import type { LegalHold } from './legal-hold.js';

/** Maximum number of segments that one plan removes: it and its receipt are held in memory. */
export const DELETION_OBJECTS_MAX = 100_000;

/** What a deletion would do. The same request over the same content has the same id. */
export interface DeletionPlan {
  readonly id: string;
  readonly request: DeletionRequestJson;
  readonly places: readonly PlacePlan[];
}

/** The holds of all places that keep something: each counts in every place. Throws the errors of the places. */
export async function allHolds(places: readonly DeletionPlace[]): Promise<LegalHold[]> {
  const found = new Map<string, LegalHold>();
  for (const { holds } of places) {
    for (const hold of await holds.list()) {
      if (hold.released === undefined) found.set(hold.id, hold);
    }
  }
  return [...found.values()];
}

/** Changes nothing. Throws the errors of the places, and `DELETION_REFUSED` if the plan would be too large. */
export async function planDeletion(
  request: DeletionRequest,
  places: readonly DeletionPlace[],
): Promise<DeletionPlan> {
  const holds = await allHolds(places);
  const plans: PlacePlan[] = [];
  for (const place of places) plans.push(await place.survey(request, holds));
  const objects = plans.reduce((sum, { remove }) => sum + remove.length, 0);
  if (objects > DELETION_OBJECTS_MAX) {
    throw new HoldfastError(
      'DELETION_REFUSED',
      `the plan removes ${objects} segments, allowed: ${DELETION_OBJECTS_MAX}; choose a shorter time`,
      { facts: { objects } },
    );
  }
  const json = requestToJson(request);
  const named = plans.map(({ place, remove }) => [
    place,
    remove.map(({ key, crc32, part }) => [key, crc32, ...(part ? ['part'] : [])]),
  ]);
  return { id: shortDigest([1, json, named]), request: json, places: plans };
}

/** Identifies what was asked for, whatever the places hold at the moment. */
export function requestId(request: DeletionRequest, places: readonly DeletionPlace[]): string {
  return shortDigest([1, requestToJson(request), places.map(({ place }) => place)]);
}
