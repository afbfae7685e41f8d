import type { Batch } from '../ingest/batch.js';
import { Slab } from './batch-encoder.js';
import { planCommit, type CommitContext, type CommitPlan } from './commit-plan.js';
import { encodeFailed } from './encode-failure.js';
import type { OpenSegment } from './open-segment.js';
import { INLINE_MAX_BYTES, bytesOnDisk, type StagedCommit } from './segment-writer.js';

/** A commit that was planned for a segment and is being written there. */
export interface PlannedCommit {
  readonly batch: Batch;
  readonly segment: OpenSegment;
  readonly plan: CommitPlan;
  /** If it rejects, the segment accepts nothing more. */
  readonly staged: Promise<StagedCommit>;
  /** Sequence of the record after the batch. */
  readonly nextSequence: number;
}

interface StagePorts {
  /** The present state with which every commit is planned. */
  context(): Omit<CommitContext, 'nextSequence' | 'slab' | 'ahead'>;
  /** Only the batch that was named can follow the commit under way. */
  mayWriteAhead(): boolean;
}

/**
 * Begins to write batches: one for the commit under way, and the next one if it is known. The payloads of the
 * next one go to the blob during the fsync of the first. The batch written ahead is committed next in the
 * same segment, or that segment ends.
 */
export class CommitStage {
  /** Two, because a batch may be encoded while the previous one is being written. */
  #slabs: readonly [Slab, Slab] = [new Slab(), new Slab()];
  #upcoming: Batch | undefined;
  #committing: PlannedCommit | undefined;
  #ahead: PlannedCommit | undefined;

  readonly #ports: StagePorts;

  constructor(ports: StagePorts) {
    this.#ports = ports;
  }

  /** A batch is written ahead in the open segment. */
  get isAhead(): boolean {
    return this.#ahead !== undefined;
  }

  /** Another batch is written ahead, so the segment cannot take this one. */
  isAheadOf(batch: Batch): boolean {
    return this.#ahead !== undefined && this.#ahead.batch !== batch;
  }

  /** The batch that will be committed next. */
  name(batch: Batch): void {
    this.#upcoming = batch;
    this.#writeAhead();
  }

  /** No batch that was named or written ahead will be committed. */
  forget(): void {
    this.#upcoming = undefined;
    this.#ahead = undefined;
  }

  /** The commit of `batch` is under way until {@link end}. */
  begin(segment: OpenSegment, batch: Batch, nextSequence: number): PlannedCommit {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (this.#upcoming === batch) this.#upcoming = undefined;
    const isWritten = ahead?.batch === batch && ahead.segment === segment;
    this.#committing = isWritten ? ahead : this.#plan(segment, batch, nextSequence, false);
    this.#writeAhead();
    return this.#committing;
  }

  end(): void {
    this.#committing = undefined;
  }

  #writeAhead(): void {
    const upcoming = this.#upcoming;
    const committing = this.#committing;
    const ports = this.#ports;
    if (!upcoming || !committing || this.#ahead || !ports.mayWriteAhead()) return;
    if (upcoming.bytes <= INLINE_MAX_BYTES) return;
    const { segment, plan, nextSequence } = committing;
    // The first commit of a segment has more in the blob before its batch, and that is not complete yet.
    if (plan.extras.carried || segment.writer.full) return;
    const bytes = segment.writer.contentBytes + (plan.encoded ? bytesOnDisk(plan.encoded) : 0);
    if (bytes >= ports.context().options.segmentMaxBytes) return;
    this.#upcoming = undefined;
    try {
      this.#ahead = this.#plan(segment, upcoming, nextSequence, true);
    } catch {
      // The failure is reported when it is the batch's turn. What it began in the segment must not be used.
      segment.isSpoilt = true;
    }
  }

  #plan(segment: OpenSegment, batch: Batch, nextSequence: number, ahead: boolean): PlannedCommit {
    const [slab, other] = this.#slabs;
    this.#slabs = [other, slab];
    const context = this.#ports.context();
    const plan = planned(segment, batch, {
      ...context,
      // The previous commit already carries the pending clock steps.
      ...(ahead ? { clockSteps: [] } : {}),
      nextSequence,
      slab,
      ahead,
    });
    const staged = segment.writer.stage(plan.encoded, plan.extras);
    // The failure is reported when it is the batch's turn.
    staged.catch(() => undefined);
    return { batch, segment, plan, staged, nextSequence: nextSequence + batch.messages.length };
  }
}

/** Throws `WAL_ENCODE_FAILED`; in that case nothing was written. */
function planned(...of: Parameters<typeof planCommit>): CommitPlan {
  try {
    return planCommit(...of);
  } catch (cause) {
    throw encodeFailed(cause);
  }
}
