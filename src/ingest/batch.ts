import type { Gap } from '../core/gap.js';
import type { Message } from '../core/message.js';

/** Messages and gaps that are committed atomically. */
export interface Batch {
  readonly messages: readonly Message[];
  readonly gaps: readonly Gap[];
  /** Payload bytes of the messages. */
  readonly bytes: number;
  /** Monotonic nanoseconds at which the oldest message was received (or earlier, never later). */
  readonly oldestAt: bigint;
}

/** When a batch closes: whichever comes first. */
export interface BatchLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
  /** Milliseconds from the first message of a batch to its commit, when nothing else closes it. */
  readonly maxAgeMs: number;
}
