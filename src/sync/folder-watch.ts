import type { HoldfastError } from '../core/errors.js';
import { WakeUp } from './wake-up.js';
import { EventWindows } from './event-windows.js';
import type { ProgressRecord } from './progress-record.js';
import { SealedScan } from './sealed-scan.js';
import type { SegmentEntry } from './segment-table.js';
import type { SyncParts } from './sync-parts.js';
import { isHeldBack } from './upload-policy.js';

/** What it needs of the parts. */
type Parts = Pick<
  SyncParts,
  | 'clock'
  | 'counters'
  | 'folder'
  | 'fs'
  | 'identity'
  | 'only'
  | 'openUploads'
  | 'options'
  | 'progress'
  | 'receipts'
  | 'requested'
  | 'shared'
  | 'sink'
  | 'table'
  | 'tombstones'
  | 'trouble'
>;

export interface FolderWatchHooks {
  /** The folder was scanned: there may be something to send. */
  readonly onLooked: () => void;
  /** There are more tombstones than before. */
  readonly onTombstones: () => void;
  /** A segment's files are gone. */
  readonly onVanished: (entry: SegmentEntry) => void;
}

const NOT_SCANNED = '';

/**
 * Keeps the table in step with the data folder: scans repeatedly for sealed segments, tombstones and marked
 * events, and starts over if the store turns out to be another one.
 */
export class FolderWatch {
  readonly #parts: Parts;
  readonly #hooks: FolderWatchHooks;
  readonly #scan: SealedScan;
  readonly #windows: EventWindows;
  readonly #wakeUp = new WakeUp();
  #mustReset = true;
  /** The store that the states in the table refer to. */
  #scannedStore: string | undefined = NOT_SCANNED;
  /** The store for which the whole folder was scanned. */
  #scannedWhole: string | undefined = NOT_SCANNED;
  #begun = 0;
  #ended = 0;
  #denied: HoldfastError | undefined;
  #done = 0;

  constructor(parts: Parts, hooks: FolderWatchHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    const { fs, folder, trouble, openUploads, options } = parts;
    this.#windows = new EventWindows({ fs, folder: folder.events, onTrouble: trouble });
    this.#scan = new SealedScan({
      ...parts,
      retryParked: options.retryParked || parts.only !== undefined,
      onTrouble: trouble,
      onKey: (key) => openUploads.addKey(key),
      // The manifest has the events known when it was sealed; there may be later marks.
      isMarked: (entry) => this.isMarked(entry),
      isHeldBack: (entry, isMarked) => isHeldBack(entry, isMarked, parts),
      onVanished: hooks.onVanished,
    });
  }

  /** The table has the present content, for the present store. */
  get isValid(): boolean {
    return !this.#mustReset && this.#scannedStore === this.#parts.identity.storeId;
  }

  /** The same, after a scan of the whole folder. */
  get isWhole(): boolean {
    return this.isValid && this.#scannedWhole === this.#scannedStore;
  }

  /** Why the last scan was not allowed to read the folder. */
  get denied(): HoldfastError | undefined {
    return this.#denied;
  }

  /** Number of the next scan; compare with {@link looked}. */
  get nextLook(): number {
    return this.#begun + 1;
  }

  /** Number of the last scan, whether it covered the whole folder or not; undefined while one runs or must run. */
  get ended(): number | undefined {
    return this.#ended === this.#begun && this.isValid ? this.#ended : undefined;
  }

  /** Number of the last scan that covered the whole folder. */
  get looked(): number {
    return this.#done;
  }

  /** The store is another one, or known for the first time: scan everything again. */
  reset(): void {
    this.#mustReset = true;
    this.#wakeUp.notify();
  }

  /** Scans now instead of at the next turn. */
  wake(): void {
    this.#wakeUp.notify();
  }

  /** Decides again which segments the upload policy keeps here. */
  applyPolicy(): void {
    const { table } = this.#parts;
    const held = new Set<SegmentEntry>();
    for (const entry of table.values()) {
      if (entry.state !== 'held' && entry.state !== 'pending') continue;
      const isHeld = isHeldBack(entry, this.isMarked(entry), this.#parts);
      if (isHeld && entry.state === 'pending') held.add(entry);
      else if (!isHeld && entry.state === 'held') table.move(entry, 'pending');
    }
    table.hold(held);
  }

  /** Scans until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let force = true;
    while (!signal.aborted) {
      this.#begun++;
      const whole = await this.#look(signal, force);
      if (whole) {
        this.#done = this.#begun;
        this.#scannedWhole = this.#scannedStore;
      }
      this.#ended = this.#begun;
      this.#denied = this.#scan.denied;
      force = !whole;
      this.#hooks.onLooked();
      const { clock, options } = this.#parts;
      await this.#wakeUp.wait(clock, options.pollIntervalMs, signal);
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
      await this.#countSynced(storeId, records);
      await this.#scan.reset(storeId, records);
      this.#scannedStore = storeId;
    }
    if (await this.#windows.refresh()) {
      this.applyPolicy();
      this.#putMarkedFirst();
    }
    const before = tombstones.waiting;
    if ((await tombstones.count()) > before) this.#hooks.onTombstones();
    return this.#scan.poll(signal, force || isNewStore);
  }

  /** Continues the count of the last process; if the count was lost, it starts with the known segments. */
  async #countSynced(
    storeId: string | undefined,
    records: ReadonlyMap<string, ProgressRecord>,
  ): Promise<void> {
    const { progress, counters } = this.#parts;
    if (storeId === undefined) return;
    const known = [...records.values()].filter(({ state }) => state === 'verified').length;
    counters.syncedTotal = Math.max(known, (await progress.syncedTotal(storeId)) ?? 0);
  }

  /** The manifest has the events known when it was sealed; there may be later marks. */
  isMarked({ hasEvents, firstLogTime, lastLogTime }: SegmentEntry): boolean {
    if (hasEvents === true) return true;
    if (firstLogTime === undefined || lastLogTime === undefined) return false;
    return this.#windows.overlap(BigInt(firstLogTime), BigInt(lastLogTime));
  }

  #putMarkedFirst(): void {
    const { table } = this.#parts;
    const marked = [...table.values()].filter(
      (entry) => (entry.state === 'pending' || entry.state === 'active') && this.isMarked(entry),
    );
    table.putFirst(marked.map(({ name }) => name));
  }
}
