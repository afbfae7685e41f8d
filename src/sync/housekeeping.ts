import type { Upload } from '../core/store.js';
import { isAborted } from '../core/is-aborted.js';
import { WakeUp } from './wake-up.js';
import type { SyncParts } from './sync-parts.js';

/** What it needs of the parts. */
type Parts = Pick<
  SyncParts,
  | 'changed'
  | 'clock'
  | 'counters'
  | 'isTableWhole'
  | 'lifetime'
  | 'link'
  | 'lost'
  | 'openUploads'
  | 'options'
  | 'progress'
  | 'receipts'
  | 'table'
  | 'tombstones'
>;

const SWEEP_INTERVAL_MAX_MS = 3_600_000;

/** Deferred work: local writes that failed, tombstones, forgotten uploads, a lock that could not be taken. */
export class Housekeeping {
  readonly #parts: Parts;
  readonly #retryLock: () => Promise<void>;
  readonly #wakeUp = new WakeUp();
  #sweptAt: bigint | undefined;

  constructor(parts: Parts, retryLock: () => Promise<void>) {
    this.#parts = parts;
    this.#retryLock = retryLock;
  }

  /** There may be work before the next round is due. */
  wake(): void {
    this.#wakeUp.notify();
  }

  async run(): Promise<void> {
    const { clock, lifetime, receipts, progress, lost, link, changed } = this.#parts;
    while (!lifetime.aborted) {
      await this.#wakeUp.wait(clock, this.#parts.options.housekeepingIntervalMs, lifetime);
      if (isAborted(lifetime)) return;
      await this.#retryLock();
      await receipts.retry();
      await progress.retry();
      await lost.retry();
      if (link.state === 'online') await this.#online();
      changed();
    }
  }

  async #online(): Promise<void> {
    const { lifetime, tombstones, counters } = this.#parts;
    try {
      if (tombstones.waiting > 0) await tombstones.deliver(lifetime);
      await this.#sweep();
    } catch (error) {
      if (isAborted(lifetime)) return;
      counters.noteError(error);
    }
  }

  async #sweep(): Promise<void> {
    const { clock, options, openUploads, isTableWhole, lifetime } = this.#parts;
    const everyMs = Math.min(SWEEP_INTERVAL_MAX_MS, options.staleUploadAgeMs);
    const now = clock.monotonic();
    if (this.#sweptAt !== undefined && Number(now - this.#sweptAt) / 1e6 < everyMs) return;
    // Until the folder was scanned, it is unknown which uploads are still needed.
    if (!isTableWhole()) return;
    this.#sweptAt = now;
    await openUploads.sweep(options.staleUploadAgeMs, (upload) => this.#isKnown(upload), lifetime);
  }

  #isKnown(upload: Upload): boolean {
    for (const entry of this.#parts.table.values()) {
      // Its upload may have been created just now, or be the one in a lost record.
      const isWaiting = entry.state === 'active' || entry.state === 'pending';
      if (isWaiting && upload.key.includes(entry.name.split('.')[0] ?? entry.name)) return true;
      if (entry.record?.state === 'uploading' && entry.record.uploadId === upload.uploadId) return true;
    }
    return false;
  }
}
