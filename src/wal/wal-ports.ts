import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { Gap, GapReason } from '../core/gap.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Channel, Priority } from '../core/message.js';
import type { SegmentId } from '../core/segment-id.js';
import type { Vins } from '../core/vin.js';
import type { Durability } from './durability.js';
import type { InPlaceOptions } from './placement.js';
import type { WalKeys } from './segment-cipher.js';

export interface WalOptions {
  readonly durability: Durability;
  /** Milliseconds between fsyncs in mode `interval`. */
  readonly intervalMs: number;
  /** A segment rolls when its bytes on disk exceed this. */
  readonly segmentMaxBytes: number;
  /** A segment with content rolls at this age. */
  readonly segmentMaxAgeMs: number;
  readonly latchedMaxBytes: number;
  /** Which payloads lie in object files from the start. Default: none. */
  readonly inPlace?: InPlaceOptions;
  readonly softwareVersion: string;
  /** VINs by robot, for every segment. Default: none. */
  readonly vins?: Vins;
}

export interface WalPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Encrypts segments: the first one wraps their keys. They have no object files then. Default: none. */
  readonly keys?: WalKeys;
  readonly priorityOf: (channel: Channel) => Priority;
  /** Group of a channel with objects of its own. Default: none has one. */
  readonly groupOf?: (channel: Channel) => string | undefined;
  /** A segment was closed and waits to be sealed. */
  readonly onClosed: (segment: ClosedSegment) => void;
  /** Called when commits begin to fail (with the reason) and when they succeed again (undefined). */
  readonly onStall: (reason: GapReason | undefined, detail: string) => void;
  /** Gaps that became durable. Must not throw. */
  readonly onGaps?: (gaps: readonly Gap[]) => void;
  /**
   * Gaps that were written and whose fsync failed: they may be lost, so they must be committed again. Must not
   * throw.
   */
  readonly onGapsUnsure?: (gaps: readonly Gap[]) => void;
}

/** A segment of this process that accepts no more records. */
export interface ClosedSegment {
  readonly id: SegmentId;
  readonly directory: string;
  /** Records from here on were never acknowledged and are in a later segment. */
  readonly cutAtSequence: number;
  readonly bytes: number;
}
