import { Bell } from './bell.js';
import { EventWindows } from './event-windows.js';
import type { ProgressRecord } from './progress-record.js';
import { rewriteReceipt } from './receipt-writer.js';
import { SealedScan } from './sealed-scan.js';
import type { SegmentEntry } from './segment-table.js';
import type { SyncParts } from './sync-parts.js';

export interface FolderWatchHooks {
  /** The folder was looked through: there may be something to send. */
  readonly onLooked: () => void;
  /** There are more tombstones than before. */
  readonly onTombstones: () => void;
  /** A segment's files are gone. */
  readonly onVanished: (entry: SegmentEntry) => void;
}

const NOT_SCANNED = '';

/**
 * Keeps the table in step with the data folder: looks again and again for sealed segments, tombstones and
 * marked events, and begins anew when the store turns out to be another one.
 */
export class FolderWatch {
  readonly #parts: SyncParts;
  readonly #hooks: FolderWatchHooks;
  readonly #scan: SealedScan;
  readonly #windows: EventWindows;
  readonly #bell = new Bell();
  #mustReset = true;
  /** What the table holds is towards this store. */
  #scannedStore: string | undefined = NOT_SCANNED;
  /** The store towards which the folder was looked through whole. */
  #scannedWhole: string | undefined = NOT_SCANNED;
  #begun = 0;
  #done = 0;

  constructor(parts: SyncParts, hooks: FolderWatchHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    const { fs, folder, trouble, openUploads, options } = parts;
    this.#windows = new EventWindows({ fs, folder: folder.events, onTrouble: trouble });
    this.#scan = new SealedScan({
      ...parts,
      retryParked: options.retryParked,
      onTrouble: trouble,
      onKey: (key) => openUploads.addKey(key),
      onReceiptMissing: (name, record) => rewriteReceipt(parts, name, record),
      // What the recorder knew when it sealed is in the manifest; the marks may say more.
      isMarked: (entry, { events }) => (events?.length ?? 0) > 0 || this.#isMarked(entry),
      onVanished: hooks.onVanished,
    });
  }

  /** The table holds what is there, towards the store that is there. */
  get isValid(): boolean {
    return !this.#mustReset && this.#scannedStore === this.#parts.identity.storeId;
  }

  /** The same, and the folder was looked through whole. */
  get isWhole(): boolean {
    return this.isValid && this.#scannedWhole === this.#scannedStore;
  }

  /** Number of the next look to begin; compare with {@link looked}. */
  get nextLook(): number {
    return this.#begun + 1;
  }

  /** Number of the last look that went through the whole folder. */
  get looked(): number {
    return this.#done;
  }

  /** The store is another one, or known at last: everything is looked at anew. */
  reset(): void {
    this.#mustReset = true;
    this.#bell.ring();
  }

  /** Looks now instead of at the next turn. */
  wake(): void {
    this.#bell.ring();
  }

  /** Looks until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let force = true;
    while (!signal.aborted) {
      this.#begun++;
      const whole = await this.#look(signal, force);
      if (whole) {
        this.#done = this.#begun;
        this.#scannedWhole = this.#scannedStore;
      }
      force = !whole;
      this.#hooks.onLooked();
      const { clock, options } = this.#parts;
      await this.#bell.wait(clock, options.pollIntervalMs, signal);
    }
  }

  async #look(signal: AbortSignal, force: boolean): Promise<boolean> {
    const { identity, progress, tombstones } = this.#parts;
    const { storeId } = identity;
    const isNewStore = this.#mustReset;
    if (isNewStore) {
      this.#mustReset = false;
      this.#scannedStore = NOT_SCANNED;
      this.#scannedWhole = NOT_SCANNED;
      const records =
        storeId === undefined ? new Map<string, ProgressRecord>() : await progress.load(storeId);
      await this.#scan.reset(storeId, records);
      this.#scannedStore = storeId;
    }
    if (await this.#windows.refresh()) this.#putMarkedFirst();
    const before = tombstones.waiting;
    if ((await tombstones.count()) > before) this.#hooks.onTombstones();
    return this.#scan.poll(signal, force || isNewStore);
  }

  #isMarked({ firstLogTime, lastLogTime }: SegmentEntry): boolean {
    if (firstLogTime === undefined || lastLogTime === undefined) return false;
    return this.#windows.overlap(BigInt(firstLogTime), BigInt(lastLogTime));
  }

  #putMarkedFirst(): void {
    const { table } = this.#parts;
    const marked = [...table.values()].filter(
      (entry) => (entry.state === 'pending' || entry.state === 'active') && this.#isMarked(entry),
    );
    table.putFirst(marked.map(({ name }) => name));
  }
}
