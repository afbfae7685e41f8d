import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { DigestedManifest } from '../core/manifest.js';
import type { StoreAnswer } from '../core/receipt-file.js';
import type { Upload, Verification } from '../core/store.js';
import type { ProgressRecord } from './progress-record.js';
import type { SegmentSource } from './segment-source.js';
import type { SendPorts } from './send-parts.js';

export interface UploadPorts extends SendPorts {
  readonly fs: FileSystem;
  readonly logger: Logger;
  readonly sealed: string;
  readonly partBytes: number;
  /** Throws unless the store is still the one that this data folder knows. */
  readonly checkIdentity: () => Promise<void>;
  /** The result of the last check. */
  readonly storeId: () => string | undefined;
  readonly clock: Clock;
  /** Aborts only when sync ends. The signal of a segment also aborts when its file vanishes. */
  readonly lifetime: AbortSignal;
}

/** One segment to upload. */
export interface UploadJob {
  /** Name of the sealed file without `.mcap`. */
  readonly name: string;
  readonly manifest: DigestedManifest;
  /** The bytes that are published. */
  readonly manifestBytes: Buffer;
  /** The bytes to send; absent: those of the sealed file. */
  readonly open?: () => Promise<SegmentSource>;
  /** Sealed while this process was watching, so no part of it can be in the store yet. */
  readonly fresh: boolean;
  /**
   * One of several files without a manifest of their own. It ends when it is verified, and its key belongs to
   * no other file.
   */
  readonly bare?: true;
  readonly record?: ProgressRecord;
  /** An unfinished upload that the store lists for this key, and whose record was lost. */
  readonly found?: Upload;
}

export interface UploadHooks {
  readonly onProgress: (sentBytes: number) => void;
  readonly onSent: (bytes: number) => void;
  readonly onResend: (bytes: number) => void;
  readonly onResumed: () => void;
  readonly onRetry: (error: unknown) => void;
  /** The key has other bytes with a manifest, so the segment gets another key. */
  readonly onCollision: (key: string, newKey: string) => void;
  /** No part of the file can be read any more. */
  readonly onAllRead: () => void;
  readonly remember: (record: ProgressRecord, sync: boolean) => Promise<void>;
  /**
   * `asked`: the last answer of the store; absent for one of several files without a manifest of their own.
   */
  readonly recorded: (key: string, verification: Verification, asked?: StoreAnswer) => Promise<void>;
}
