import { merge, type Observable } from 'rxjs';
import type { Clock } from '../core/clock.js';
import type { Listen } from '../core/listen.js';
import type { Batch, BatchLimits } from '../ingest/batch.js';
import type { DropLedger } from '../ingest/drop-ledger.js';
import type { Uncommitted } from '../ingest/give-up.js';
import { groupCommit } from '../ingest/group-commit.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { RecordedSource } from './recorder-source.js';

export interface PipelineParts {
  readonly sources: readonly RecordedSource[];
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  /** Read for each batch; `onLimits` reports changes. */
  readonly limits: BatchLimits;
  readonly onLimits: Listen<void>;
  readonly clock: Clock;
  /** Makes a batch durable. */
  readonly commit: (batch: Batch) => Promise<void>;
  /** Receives the batch that will be committed next, during another commit. */
  readonly upcoming: (batch: Batch) => void;
  /** Accounts for what the disk refused until the end; see {@link groupCommit}. */
  readonly giveUp: (left: Uncommitted) => Promise<Batch>;
}

/**
 * Subscribe, filter, queue, batch, commit. Sources are filtered and numbered one by one, merged, queued in
 * the bounded buffer, and committed in groups. The steps after the commit (seal, schedule, upload, verify,
 * retain) read from disk at their own pace. Emits every committed batch; completes when every source has
 * completed and the last batch is committed.
 */
export function recordingPipeline(parts: PipelineParts): Observable<Batch> {
  const { sources, buffer, drops, limits, onLimits, clock, commit, upcoming, giveUp } = parts;
  return merge(...sources.map((source) => source.events())).pipe(
    groupCommit({ buffer, drops, limits, onLimits, clock, commit, upcoming, giveUp }),
  );
}
