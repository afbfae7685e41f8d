import type { Gap } from '../core/gap.js';
import type { Message } from '../core/message.js';
import type { RobotRecord } from '../core/other-record.js';

/** Messages and gaps that are committed atomically. */
export interface Batch {
  readonly messages: readonly Message[];
  readonly gaps: readonly Gap[];
  /** Records that are not messages; absent: none. */
  readonly others?: readonly RobotRecord[];
  /** Payload bytes of the messages, and the size of the other records. */
  readonly bytes: number;
  /** Monotonic nanoseconds when the oldest message was received (or earlier, never later). */
  readonly oldestAt: bigint;
}

/** When a batch closes: at the first limit it reaches. */
export interface BatchLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
  /** Milliseconds from the first message of a batch to its commit, if no other limit closes it earlier. */
  readonly maxAgeMs: number;
}
