import { documentKind } from '../core/documents/document.js';
import { listOf, literal, object, text, time } from '../core/documents/schema-parts.js';
import { readFileIfPresent, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { DeletedFacts, Manifest } from '../core/manifest.js';
import { dirname, join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import type {
  Removal,
  DeletionPlace,
  KeptObject,
  PlacePlan,
  PlannedObject,
  RemovedObject,
} from './deletion-place.js';
import { allHolds, type DeletionPlan } from './deletion-plan.js';
import {
  encodeReceipt,
  placePlanSchema,
  requestSchema,
  type DeletionReceipt,
  type PlaceReceipt,
} from './deletion-receipt.js';
import { requestFromJson, type DeletionRequest } from './deletion-request.js';
import { holdOn, type LegalHold } from './legal-hold.js';

/** What a deletion has begun: written before the first removal, and removed after the receipt. */
export interface DeletionJournal {
  readonly format: 'holdfast-deletion-journal';
  readonly version: 1;
  readonly plan: DeletionPlan;
  readonly facts: DeletedFacts;
}

const journals = documentKind<DeletionJournal>(
  'journal of a deletion',
  object({
    ...{ format: literal('holdfast-deletion-journal'), version: literal(1) },
    plan: object({ id: text, request: requestSchema, places: listOf(placePlanSchema) }),
    facts: object({ at: time, by: text, reason: text, plan: text }),
  }),
);

export function encodeJournal(journal: DeletionJournal): string {
  return `${JSON.stringify(journal)}\n`;
}

/** Throws `MANIFEST_INVALID`. */
export function decodeJournal(text: string, name: string): DeletionJournal {
  return journals.parse(text, name);
}

/** Name of the journal of a request. */
export function journalName(requestId: string): string {
  return `deletion-${requestId}.journal`;
}

/** Name of the receipt of a plan. */
export function receiptName(plan: string): string {
  return `deletion-${plan}.receipt.json`;
}

/** Undefined: nothing was begun. Throws `MANIFEST_INVALID`. */
export async function readJournal(fs: FileSystem, path: string): Promise<DeletionJournal | undefined> {
  const bytes = await readFileIfPresent(fs, path);
  return bytes && decodeJournal(bytes.toString('utf8'), path);
}

/** Why a segment stays that was not there for the plan. */
const LATER = 'it came after the plan was made: delete again';

/** What a deletion needs. */
export interface DeletionRun {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly places: readonly DeletionPlace[];
  /** Path of the journal. The receipt is written beside it. */
  readonly journal: string;
  readonly secret: KeyObject;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

/**
 * Does what the journal says, and writes the receipt. If it is interrupted at any point, it may be run again with the
 * same journal and ends in the same state. Throws errors after which the same run may succeed.
 */
export async function runDeletion(
  run: DeletionRun,
  begun: DeletionJournal,
): Promise<{ readonly receipt: DeletionReceipt; readonly path: string }> {
  const { fs, clock, places, journal } = run;
  const { plan, facts } = begun;
  await writeFileDurably(fs, journal, encodeJournal(begun));
  // A hold that was placed since the plan was made counts too.
  const holds = await allHolds(places);
  const done: PlaceReceipt[] = [];
  const progress = { done: 0 };
  for (const place of places) {
    const own = plan.places.find((one) => one.place === place.place);
    if (own) done.push(await removeFrom(place, own, begun, holds, run, progress));
  }
  const shut = await shutStores(done, run, plan);
  const receipts: PlaceReceipt[] = [];
  for (const one of shut) receipts.push(await withLater(one, run, plan, holds));
  const receipt: DeletionReceipt = {
    format: 'holdfast-deletion-receipt',
    version: 1,
    plan: plan.id,
    request: plan.request,
    by: facts.by,
    reason: facts.reason,
    startedAt: facts.at,
    finishedAt: String(clock.now()),
    places: receipts,
  };
  const path = join(dirname(journal), receiptName(plan.id));
  await writeFileDurably(fs, path, encodeReceipt(receipt, run.secret));
  await fs.rm(journal, { force: true });
  await syncDirectory(fs, dirname(journal));
  return { receipt, path };
}

async function removeFrom(
  place: DeletionPlace,
  plan: PlacePlan,
  { plan: whole, facts }: DeletionJournal,
  holds: readonly LegalHold[],
  { signal, onProgress }: DeletionRun,
  progress: { done: number },
): Promise<PlaceReceipt> {
  const request = requestFromJson(whole.request);
  const removed: RemovedObject[] = [];
  const kept: KeptObject[] = [...plan.keep];
  for (const object of plan.remove) {
    signal.throwIfAborted();
    const hold = place.judgesHolds ? undefined : holdOn({ ...object, robot: request.robot }, holds);
    const outcome = hold
      ? { kind: 'kept' as const, why: `legal hold ${hold.id}: ${hold.reason}` }
      : await removeOne(place, object, [facts, request, holds]);
    if (outcome.kind === 'removed') removed.push(outcome.object);
    else if (outcome.kind === 'kept') kept.push({ key: object.key, bytes: object.bytes, why: outcome.why });
    onProgress?.(++progress.done);
  }
  await place.finish?.(request);
  return { place: plan.place, kind: plan.kind, removed, kept, notes: plan.notes };
}

/**
 * What was removed from a data folder may be on its way to a store. Before the last look, each store gets the tombstones,
 * so such an upload is either there for that look or cannot finish after it.
 */
async function shutStores(
  done: readonly PlaceReceipt[],
  { places, signal }: DeletionRun,
  plan: DeletionPlan,
): Promise<PlaceReceipt[]> {
  const tombstones: Manifest[] = [];
  for (const place of places) tombstones.push(...((await place.tombstones?.(plan.id)) ?? []));
  const receipts: PlaceReceipt[] = [];
  for (const one of done) {
    signal.throwIfAborted();
    const place = places.find((other) => other.place === one.place);
    const removed = one.removed.map(({ key }) => key);
    const refused = (await place?.shut?.(tombstones, removed)) ?? [];
    receipts.push({ ...one, kept: [...one.kept, ...refused] });
  }
  return receipts;
}

/**
 * Looks once more for what the request names: sync may have sent a segment between the plan and the removal of its file.
 * What the plan does not have stays, and a further deletion removes it.
 */
async function withLater(
  done: PlaceReceipt,
  { places }: DeletionRun,
  plan: DeletionPlan,
  holds: readonly LegalHold[],
): Promise<PlaceReceipt> {
  const place = places.find((one) => one.place === done.place);
  const planned = plan.places.find((one) => one.place === done.place);
  // Tables and databases change with every write, so they are judged by their plan.
  if (!place || !planned || (place.kind !== 'data' && place.kind !== 'store')) return done;
  const known = new Set([...planned.remove, ...planned.keep].map(({ key }) => key));
  const { remove, keep } = await place.survey(requestFromJson(plan.request), holds);
  const later = [...remove.map((object) => ({ ...object, why: LATER })), ...keep]
    .filter(({ key }) => !known.has(key))
    .map(({ key, bytes, why }) => ({ key, bytes, why }));
  return { ...done, kept: [...done.kept, ...later] };
}

async function removeOne(
  place: DeletionPlace,
  object: PlannedObject,
  how: readonly [facts: DeletedFacts, request: DeletionRequest, holds: readonly LegalHold[]],
): Promise<Removal> {
  if (object.part || place.judgesHolds) return place.cut(object, ...how);
  const why = await place.remove(object, ...how);
  return why === undefined ? { kind: 'removed', object } : { kind: 'kept', why };
}
