import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { Manifest } from '../core/manifest.js';
import type { StoreAnswer } from '../core/receipt-file.js';
import type { Upload, Verification } from '../core/store.js';
import type { ProgressRecord } from './progress-record.js';
import type { SendPorts } from './send-parts.js';

export interface UploadPorts extends SendPorts {
  readonly fs: FileSystem;
  readonly logger: Logger;
  readonly sealed: string;
  readonly partBytes: number;
  /** Throws unless the store is (still) the one this data folder knows. */
  readonly checkIdentity: () => Promise<void>;
  /** As the last check found it. */
  readonly storeId: () => string | undefined;
  readonly clock: Clock;
  /** Aborts only when sync ends; a segment's own signal also when its file vanishes. */
  readonly lifetime: AbortSignal;
}

/** One segment to be brought into the store. */
export interface UploadJob {
  /** The sealed file's name without `.mcap`. */
  readonly name: string;
  readonly manifest: Manifest;
  /** The manifest file's own bytes: what is published. */
  readonly manifestBytes: Buffer;
  /** Sealed while this process was watching: nothing of it can be in the store yet. */
  readonly fresh: boolean;
  /** One of several files without a manifest of their own: it ends verified, and is nobody else's key. */
  readonly bare?: true;
  readonly record?: ProgressRecord;
  /** An unfinished upload the store lists for this key, whose record was lost. */
  readonly found?: Upload;
}

export interface UploadHooks {
  readonly onProgress: (sentBytes: number) => void;
  readonly onSent: (bytes: number) => void;
  readonly onResend: (bytes: number) => void;
  readonly onResumed: () => void;
  readonly onRetry: (error: unknown) => void;
  /** The key was taken by other bytes with a manifest; the segment goes to another one. */
  readonly onCollision: (key: string, newKey: string) => void;
  /** Nothing of the file is left to be read. */
  readonly onAllRead: () => void;
  readonly remember: (record: ProgressRecord, sync: boolean) => Promise<void>;
  /** `asked`: what the store said last; absent for one of several files without a manifest of their own. */
  readonly recorded: (key: string, verification: Verification, asked?: StoreAnswer) => Promise<void>;
}
