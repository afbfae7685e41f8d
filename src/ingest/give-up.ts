import type { Gap } from '../core/gap.js';
import type { Message } from '../core/message.js';
import type { RobotRecord } from '../core/other-record.js';
import type { Batch } from './batch.js';
import type { DropLedger } from './drop-ledger.js';
import type { IngestBuffer } from './ingest-buffer.js';

/** Everything that was taken in and is not committed, oldest first. */
export interface Uncommitted {
  readonly messages: readonly Message[];
  readonly gaps: readonly Gap[];
  readonly others: readonly RobotRecord[];
  /** Monotonic nanoseconds when the oldest of it was received (or earlier, never later). */
  readonly oldestAt: bigint;
}

export interface GiveUpParts {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  /** Makes a batch durable. One attempt: it rejects if the disk refuses. */
  readonly commit: (batch: Batch) => Promise<void>;
  /** Whether its source keeps the message and delivers it again, because it was not acknowledged. */
  readonly isKept: (message: Message) => boolean;
}

/**
 * Accounts for messages that the disk refuses until the end: commits gaps in their place, which need far less
 * space than the messages. Messages of a source that keeps what is not acknowledged are not lost, so they are in
 * no gap. Returns the committed batch. Throws the error of `commit` if the disk refuses the gaps too; in that
 * case the ledger keeps the gaps for a later commit of this process. Throws too if records that are not messages
 * are lost, because no gap can account for them.
 */
export async function giveUp(left: Uncommitted, parts: GiveUpParts): Promise<Batch> {
  const { buffer, drops, commit, isKept } = parts;
  const reason = buffer.stalledBy ?? 'commit_failed';
  for (const message of left.messages) {
    if (!isKept(message)) {
      const queue = buffer.knownQueue(message.channel);
      if (queue) queue.dropped++;
      // Everything before it in its channel is durable, in these gaps, or dropped before.
      drops.drop(message, reason, true);
    }
    message.lease?.release();
  }
  const gaps = [...left.gaps, ...drops.take()];
  const batch: Batch = { messages: [], gaps, bytes: 0, oldestAt: left.oldestAt };
  try {
    if (gaps.length > 0) await commit(batch);
  } catch (error) {
    drops.putBack(gaps);
    throw error;
  }
  if (left.others.length > 0) throw new Error(`${left.others.length} records that are not messages are lost`);
  return batch;
}
