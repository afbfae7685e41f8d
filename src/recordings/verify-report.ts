import type { Keyring } from '../encryption/keyring.js';
import type { FilePool } from './file-readable.js';
import type { Finding } from './findings.js';
import type { Sample } from './sample-store.js';

export interface VerifyOptions {
  readonly files: FilePool;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal?: AbortSignal;
  /** For a store: only these. */
  readonly sample?: Sample;
  /** With an identity of it, an encrypted object is also read inside; without one, its sums are compared. */
  readonly keyring?: Keyring;
}

export interface VerifyProgress {
  /** Path or key being checked. */
  readonly name: string;
  readonly objects: number;
  /** Absent if unknown in advance. */
  readonly objectsTotal?: number;
  readonly bytes: number;
}

export interface VerifyReport {
  /** No error was found; there may be warnings. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly totals: {
    /** MCAPs read whole. */
    readonly objects: number;
    readonly bytes: number;
    readonly messages: number;
    readonly carried: number;
    readonly gaps: number;
    readonly tombstones: number;
    /** Encrypted objects whose sums were compared and whose content was not read, for lack of an identity. */
    readonly unopened: number;
    readonly errors: number;
    readonly warnings: number;
  };
}
