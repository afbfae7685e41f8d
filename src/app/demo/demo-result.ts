import type { Account } from './account.js';

/** One event of the report. */
export interface DemoEvent {
  /** Milliseconds from the start. */
  readonly atMs: number;
  readonly what: string;
}

/** The result of a demo; the object that `--json` prints. Times in milliseconds, sizes in bytes. */
export interface DemoResult {
  readonly ok: boolean;
  readonly sent: number;
  readonly received: number;
  readonly durable: number;
  readonly dropped: number;
  readonly droppedByReason: Readonly<Record<string, number>>;
  readonly lostInKill: number;
  readonly missedWhileDown: number;
  readonly uploaded: number;
  readonly verified: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly objects: number;
  readonly bytes: number;
  readonly recorderKills: number;
  readonly syncKills: number;
  readonly resumedUploads: number;
  readonly bytesResent: number;
  readonly maxLossWindowMs: number;
  /** Time range of the messages lost in the kill, from the message numbers in the store. */
  readonly lostSpanMs: number;
  readonly durationMs: number;
  readonly unreachableMs: number;
  readonly robots: Readonly<Record<string, Account & { readonly uploaded: number }>>;
  readonly findings: readonly string[];
  readonly events: readonly DemoEvent[];
  readonly data: string;
  readonly store: string;
  readonly kept: boolean;
}
