import type { FoxgloveOptions } from '../core/foxglove-record.js';
import type { Identity } from '../core/identity.js';
import type { Recipient } from '../encryption/wrapped-key.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { SinkPolicyRecord } from '../core/send-policy/policy-record.js';
import type { SegmentId } from '../core/segment-id.js';
import type { WalKeys } from '../wal/segment-cipher.js';
import type { Compression } from './compression.js';

/** All inputs of a seal; plain data, because it is passed to a worker. */
export interface SealRequest {
  readonly id: SegmentId;
  readonly directory: string;
  readonly sealedFolder: string;
  /** Records from this WAL sequence on belong to a later segment; absent: none do. */
  readonly cutAtSequence?: number;
  readonly compression: Compression;
  readonly level: number;
  /**
   * Payloads that were written in place are copied and compressed if they compress, and if the segment has at most
   * this many bytes of them per second of log time. Default: 0, never.
   */
  readonly compressMaxBytesPerS?: number;
  readonly chunkBytes: number;
  readonly splitByPriority: boolean;
  /** Check every payload before anything is written: for segments of an earlier process. */
  readonly verifyPayloads: boolean;
  /**
   * Seal with as little memory and as few open files as possible: one object at a time, in small chunks. For
   * a segment that could not be sealed otherwise; it reads the segment once per robot. Default: false.
   */
  readonly sparing?: boolean;
  /** Copy every payload, also those that lie in object files. Default: false. */
  readonly copies?: boolean;
  readonly softwareVersion: string;
  readonly nodeVersion: string;
  /** ROS distribution of this machine; absent: none. */
  readonly rosDistro?: string;
  /** Nanoseconds since the Unix epoch. */
  readonly sealedAt: bigint;
  /** Used if the segment's own cannot be read. */
  readonly identity: Identity;
  /** For a segment that is encrypted in the WAL; default: none. */
  readonly walKeys?: WalKeys;
  /** Encrypts the objects for these; default: none, the objects are plain. */
  readonly recipients?: readonly Recipient[];
  /** What sync sends, when and for whom; absent: no sync has told it. Written into every object. */
  readonly policy?: readonly SinkPolicyRecord[];
  /** What every object tells Foxglove; absent: nothing. */
  readonly foxglove?: FoxgloveOptions;
  /** Written into the objects that overlap their windows. */
  readonly events?: readonly MarkedEvent[];
}
