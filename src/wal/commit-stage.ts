import type { Batch } from '../ingest/batch.js';
import { Slab } from './batch-encoder.js';
import { planCommit, type CommitContext, type CommitPlan } from './commit-plan.js';
import type { OpenSegment } from './open-segment.js';
import { INLINE_MAX_BYTES, type StagedCommit } from './segment-writer.js';

/** A commit that has been planned for a segment and is being written there. */
export interface PlannedCommit {
  readonly batch: Batch;
  readonly segment: OpenSegment;
  readonly plan: CommitPlan;
  /** Rejected, the segment takes nothing more. */
  readonly staged: Promise<StagedCommit>;
  /** Of the record behind the batch. */
  readonly nextSequence: number;
}

interface StagePorts {
  /** What every commit is planned with, as it is now. */
  context(): Omit<CommitContext, 'nextSequence' | 'slab' | 'ahead'>;
  /** Nothing but the batch that was named can follow the commit under way. */
  mayWriteAhead(): boolean;
}

/**
 * Begins to write batches: one for the commit under way, and where it is known the next one, whose payloads go
 * to the blob beside the fsync of the first. What is written ahead is committed next, in the same segment, or
 * that segment ends.
 */
export class CommitStage {
  /** Two, since a batch may be encoded while the one before it is being written. */
  private slabs: readonly [Slab, Slab] = [new Slab(), new Slab()];
  private upcoming: Batch | undefined;
  private committing: PlannedCommit | undefined;
  private ahead: PlannedCommit | undefined;

  constructor(private readonly ports: StagePorts) {}

  /** A batch is written ahead in the open segment. */
  get isAhead(): boolean {
    return this.ahead !== undefined;
  }

  /** Another batch than this is written ahead: the segment cannot take this one. */
  isAheadOf(batch: Batch): boolean {
    return this.ahead !== undefined && this.ahead.batch !== batch;
  }

  /** The batch that will be committed next. */
  name(batch: Batch): void {
    this.upcoming = batch;
    this.writeAhead();
  }

  /** Nothing that was named or written ahead will be committed. */
  forget(): void {
    this.upcoming = undefined;
    this.ahead = undefined;
  }

  /** The commit of `batch` is under way from now on, until {@link end}. */
  begin(segment: OpenSegment, batch: Batch, nextSequence: number): PlannedCommit {
    const { ahead } = this;
    this.ahead = undefined;
    if (this.upcoming === batch) this.upcoming = undefined;
    const isWritten = ahead?.batch === batch && ahead.segment === segment;
    this.committing = isWritten ? ahead : this.plan(segment, batch, nextSequence, false);
    this.writeAhead();
    return this.committing;
  }

  end(): void {
    this.committing = undefined;
  }

  private writeAhead(): void {
    const { upcoming, committing, ports } = this;
    if (!upcoming || !committing || this.ahead || !ports.mayWriteAhead()) return;
    if (upcoming.bytes <= INLINE_MAX_BYTES) return;
    const { segment, plan, nextSequence } = committing;
    // What the first commit of a segment carries comes before it in the blob, and is not all there yet.
    if (plan.extras.carried || segment.writer.full) return;
    const bytes = segment.writer.contentBytes + (plan.encoded?.bytes ?? 0);
    if (bytes >= ports.context().options.segmentMaxBytes) return;
    this.upcoming = undefined;
    this.ahead = this.plan(segment, upcoming, nextSequence, true);
  }

  private plan(segment: OpenSegment, batch: Batch, nextSequence: number, ahead: boolean): PlannedCommit {
    const [slab, other] = this.slabs;
    this.slabs = [other, slab];
    const context = this.ports.context();
    const plan = planCommit(segment, batch, {
      ...context,
      // The commit before tells all there are.
      ...(ahead ? { clockSteps: [] } : {}),
      nextSequence,
      slab,
      ahead,
    });
    const staged = segment.writer.stage(plan.encoded, plan.extras);
    // It is told when the batch's turn comes.
    staged.catch(() => undefined);
    return { batch, segment, plan, staged, nextSequence: nextSequence + batch.messages.length };
  }
}
