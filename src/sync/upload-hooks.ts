import { describeError, HoldfastError } from '../core/errors.js';
import type { DigestedManifest } from '../core/manifest.js';
import type { EncryptedObject, StoreAnswer } from '../core/receipt-file.js';
import type { Verification } from '../core/store.js';
import { writeReceipt } from './receipt-writer.js';
import type { VerifiedRecord } from './sealed-scan.js';
import type { SegmentEntry } from './segment-table.js';
import { keepRecord, type EndedTurn } from './settlement.js';
import type { SyncParts } from './sync-parts.js';
import type { UploadHooks } from './upload-ports.js';

type Parts = Pick<
  SyncParts,
  'changed' | 'clock' | 'counters' | 'identity' | 'logger' | 'progress' | 'receipts' | 'sink' | 'store'
>;

/** One attempt to upload a segment. */
export interface UploadTurn extends EndedTurn {
  /** An earlier process began to send it. */
  continued: boolean;
}

/** What a turn uploads. */
export interface TurnObject {
  readonly turn: UploadTurn;
  /** Of the sealed file. */
  readonly manifest: DigestedManifest;
  /** The object in the store, if it is encrypted when it is sent. */
  readonly encrypted: EncryptedObject | undefined;
}

interface SenderHooks extends Pick<UploadHooks, 'onAllRead'> {
  /** A part was sent: the speed of the link is known better. */
  readonly onSent: () => void;
}

/** The effects of an upload while it runs: on its turn, its record, its receipt and the counters. */
export function uploadHooks(parts: Parts, object: TurnObject, sender: SenderHooks): UploadHooks {
  const { counters, logger, changed, clock } = parts;
  const { turn } = object;
  const { entry } = turn;
  return {
    onProgress: (bytes) => {
      turn.sentBytes = bytes;
      changed();
    },
    onSent: (bytes) => {
      counters.sent(bytes);
      sender.onSent();
    },
    onResend: (bytes) => (counters.resentBytes += bytes),
    onResumed: () => {
      counters.resumedUploads++;
      turn.resumed ||= turn.continued;
    },
    onRetry: (error) => {
      counters.retries++;
      counters.noteError(`${entry.name}: ${describeError(error)}`);
      changed();
    },
    onCollision: (key, newKey) => {
      const message = `${key} holds other bytes and a manifest; the segment goes to ${newKey}`;
      entry.alarm = { code: 'OBJECT_EXISTS', message };
      logger.error('the object key already exists', { segment: entry.name, key, newKey });
      counters.noteError(message);
    },
    onAllRead: sender.onAllRead,
    remember: (record, sync) => {
      entry.begunAt ??= clock.monotonic();
      return keepRecord(parts, entry, record, sync);
    },
    recorded: async (key, verification, asked) => {
      if (!asked) throw new HoldfastError('INTERNAL', `${key} was verified without an answer of its store`);
      await recordVerified(parts, entry, object, { key, verification, asked });
      turn.verified = { key, messages: object.manifest.messages };
    },
  };
}

interface VerifiedObject {
  readonly key: string;
  readonly verification: Verification;
  readonly asked: StoreAnswer;
}

/** The sums are those of the sealed file, by which retention knows it, also if the object is encrypted. */
async function recordVerified(
  parts: Parts,
  entry: SegmentEntry,
  { manifest, encrypted }: TurnObject,
  { key, verification, asked }: VerifiedObject,
): Promise<void> {
  const { sha256, bytes } = manifest.file;
  const verifiedAt = String(parts.clock.now());
  const record: VerifiedRecord = { state: 'verified', key, bytes, sha256, verification, verifiedAt };
  await writeReceipt(parts, entry.name, manifest, record, asked, encrypted);
  await keepRecord(parts, entry, record, false);
}
