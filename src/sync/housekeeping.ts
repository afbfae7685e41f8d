import type { Upload } from '../core/store.js';
import { Bell } from './bell.js';
import type { SyncParts } from './sync-parts.js';

const SWEEP_INTERVAL_MAX_MS = 3_600_000;

/** What can wait: local writes that failed, tombstones, forgotten uploads, a lock that could not be taken. */
export class Housekeeping {
  readonly #parts: SyncParts;
  readonly #retryLock: () => Promise<void>;
  readonly #bell = new Bell();
  #sweptAt: bigint | undefined;

  constructor(parts: SyncParts, retryLock: () => Promise<void>) {
    this.#parts = parts;
    this.#retryLock = retryLock;
  }

  /** There may be something to do before the next round is due. */
  wake(): void {
    this.#bell.ring();
  }

  async run(): Promise<void> {
    const { clock, lifetime, receipts, progress, link, changed } = this.#parts;
    while (!lifetime.aborted) {
      await this.#bell.wait(clock, this.#parts.options.housekeepingIntervalMs, lifetime);
      if (lifetime.aborted) return;
      await this.#retryLock();
      await receipts.retry();
      await progress.retry();
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
      if (lifetime.aborted) return;
      counters.noteError(error);
    }
  }

  async #sweep(): Promise<void> {
    const { clock, options, openUploads, isTableValid, lifetime } = this.#parts;
    const everyMs = Math.min(SWEEP_INTERVAL_MAX_MS, options.staleUploadAgeMs);
    const now = clock.monotonic();
    if (this.#sweptAt !== undefined && Number(now - this.#sweptAt) / 1e6 < everyMs) return;
    // Before the folder was looked through nobody knows which uploads are still needed.
    if (!isTableValid()) return;
    this.#sweptAt = now;
    await openUploads.sweep(options.staleUploadAgeMs, (upload) => this.#isKnown(upload), lifetime);
  }

  #isKnown(upload: Upload): boolean {
    for (const entry of this.#parts.table.values()) {
      // Its upload may have been created a moment ago, or be the one a lost record named.
      const isWaiting = entry.state === 'active' || entry.state === 'pending';
      if (isWaiting && upload.key.includes(entry.name.split('.')[0] ?? entry.name)) return true;
      if (entry.record?.state === 'uploading' && entry.record.uploadId === upload.uploadId) return true;
    }
    return false;
  }
}
