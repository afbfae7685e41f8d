import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import { LOST } from './confirmer.js';
import { backoffMs, random01 } from './link-state.js';
import type { ProgressRecord } from './progress-record.js';
import type { ActiveUpload } from './sync-status.js';
import type { SyncParts } from './sync-parts.js';
import { SegmentVanished } from './segment-file.js';
import type { SegmentEntry } from './segment-table.js';
import { StoreTrouble } from './store-calls.js';
import type { UploadOutcome } from './upload-segment.js';
import { isRefusal } from './upload-errors.js';

/** A segment in progress, and the result so far. */
export interface EndedTurn extends ActiveUpload {
  /** It continued from parts of an earlier process. */
  resumed: boolean;
  verified?: { readonly key: string; readonly messages: number };
}

type Parts = Pick<
  SyncParts,
  | 'calls'
  | 'clock'
  | 'counters'
  | 'identity'
  | 'lifetime'
  | 'logger'
  | 'memory'
  | 'options'
  | 'progress'
  | 'random'
  | 'store'
  | 'table'
  | 'tell'
>;

/**
 * The effects of the end of a turn: on the segment's place in the table, its record, the counters and the
 * listeners.
 */
export class Settlement {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** True: the segment is verified, parked or gone. False: it is tried again. */
  async settle(turn: EndedTurn, outcome: UploadOutcome): Promise<boolean> {
    const { entry } = turn;
    const { table, counters, clock, random, options, logger, progress, identity, tell } = this.#parts;
    switch (outcome.kind) {
      case 'verified':
        counters.verifiedSegments++;
        counters.syncedTotal++;
        if (identity.storeId !== undefined) {
          await progress.writeSyncedTotal(identity.storeId, counters.syncedTotal);
        }
        counters.verifiedBytes += entry.bytes;
        counters.lastSyncAt = clock.now();
        if (entry.alarm?.code === LOST) delete entry.alarm;
        await this.#parts.memory.note(identity.storeId);
        table.move(entry, 'verified');
        this.#tellSynced(turn);
        break;
      case 'parked': {
        const { code, message } = outcome;
        const { robot, bytes } = entry;
        entry.alarm = { code, message };
        logger.error('segment parked', { segment: entry.name, code, message });
        counters.noteError(message);
        table.move(entry, 'parked');
        await keepRecord(this.#parts, entry, { state: 'parked', robot, bytes, code, message }, true);
        tell({ kind: 'segment-parked', segment: entry.name, robot, code, message });
        break;
      }
      case 'gone':
        table.remove(entry);
        if (identity.storeId !== undefined && entry.record) {
          await progress.write(identity.storeId, entry.name, undefined, false);
        }
        break;
      case 'waiting':
        table.move(entry, 'pending');
        return false;
      case 'deferred': {
        entry.turns++;
        if (isRefusal(outcome.error)) {
          entry.refusals = (entry.refusals ?? 0) + 1;
          if (entry.refusals >= options.refusedRounds) {
            await this.#dropUpload(entry);
            return this.settle(turn, parkedOf(outcome.error, entry.refusals));
          }
        }
        if (options.maxRetries > 0 && entry.turns > options.maxRetries) {
          return this.settle(turn, givenUp(outcome.error, options.maxRetries));
        }
        const backoff = { firstMs: options.backoffFirstMs, maxMs: options.backoffMaxMs };
        const waitMs = backoffMs(
          { ...backoff, jitter: options.backoffJitter },
          entry.turns,
          random01(random),
        );
        counters.noteError(outcome.error);
        table.move(entry, 'pending', clock.monotonic() + BigInt(Math.round(waitMs * 1e6)));
        return false;
      }
    }
    return true;
  }

  /**
   * Removes the unfinished upload of a segment that will not be sent. If that fails, the sweep removes it
   * later.
   */
  async #dropUpload({ record }: SegmentEntry): Promise<void> {
    if (record?.state !== 'uploading') return;
    const { calls, store, lifetime, logger } = this.#parts;
    const { key, uploadId } = record;
    try {
      await calls.within(`abort upload of ${key}`, 0, lifetime, (signal) =>
        store.abortUpload({ key, uploadId }, { signal }),
      );
    } catch (error) {
      logger.warn('cannot abort the upload; the sweep aborts it later', { key, error: describeError(error) });
    }
  }

  #tellSynced({ entry, verified, resumed, startedAt }: EndedTurn): void {
    if (!verified) return;
    const { clock, tell, counters } = this.#parts;
    const { name: segment, robot, bytes, begunAt = startedAt } = entry;
    const durationMs = Number(clock.monotonic() - begunAt) / 1e6;
    counters.durations.add(durationMs);
    tell({ kind: 'segment-synced', segment, robot, bytes, ...verified, durationMs, resumed });
  }
}

/** Records the progress of a segment in the table and, once the store is known, on the disk. */
export function keepRecord(
  { identity, progress }: Pick<SyncParts, 'identity' | 'progress'>,
  entry: SegmentEntry,
  record: ProgressRecord,
  sync: boolean,
): Promise<void> {
  entry.record = record;
  const { storeId } = identity;
  return storeId === undefined ? Promise.resolve() : progress.write(storeId, entry.name, record, sync);
}

/** Otherwise a store that refuses permanently would receive the same bytes for ever. */
function parkedOf(error: unknown, rounds: number): UploadOutcome {
  const cause = error instanceof StoreTrouble ? error.cause : error;
  const code = isHoldfastError(cause) ? cause.code : 'STORE_REJECTED';
  return {
    kind: 'parked',
    code,
    message: `the store refused it in ${rounds} rounds: ${describeError(cause)}`,
  };
}

/** The limit `upload.max_retries` is reached. */
function givenUp(error: unknown, retries: number): UploadOutcome {
  const cause = error instanceof StoreTrouble ? error.cause : error;
  const code = isHoldfastError(cause) ? cause.code : 'INTERNAL';
  const message = `given up after ${retries} retries (upload.max_retries): ${describeError(cause)}`;
  return { kind: 'parked', code, message };
}

/** Found before anything is sent, and not to be tried again. */
const PARKED_BEFORE: ReadonlySet<string> = new Set([
  'MANIFEST_INVALID',
  'SEGMENT_CORRUPT',
  'SEGMENT_DELETED',
]);

/** The effect of an error outside the store on the segment. */
export function outcomeOf(error: unknown): UploadOutcome {
  if (error instanceof SegmentVanished || systemCode(error) === 'ENOENT') return { kind: 'gone' };
  if (isHoldfastError(error) && PARKED_BEFORE.has(error.code)) {
    return { kind: 'parked', code: error.code, message: error.message };
  }
  return { kind: 'deferred', error };
}
