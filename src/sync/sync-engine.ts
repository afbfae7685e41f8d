import { setMaxListeners } from 'node:events';
import type { Clock } from '../core/clock.js';
import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { Emitter } from '../core/emitter.js';
import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import type { Listen, SyncEvent } from '../core/events.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { LinkState, SyncStatus } from '../core/status.js';
import type { Store } from '../core/store.js';
import { acquireRoleLock, type RoleLock } from '../wal/role-lock.js';
import { Bell } from './bell.js';
import { EventWindows } from './event-windows.js';
import { Housekeeping } from './housekeeping.js';
import { Link } from './link.js';
import type { Backoff } from './link-state.js';
import { OpenUploads } from './open-uploads.js';
import { openLevelProgress, type OpenProgressDatabase } from './progress-database.js';
import type { ProgressRecord } from './progress-record.js';
import { ProgressStore } from './progress-store.js';
import { rewriteReceipt } from './receipt-writer.js';
import { Receipts } from './receipts.js';
import { SealedScan } from './sealed-scan.js';
import { SegmentSender } from './segment-sender.js';
import { SegmentTable, type SegmentEntry } from './segment-table.js';
import { StoreCalls } from './store-calls.js';
import { StoreIdentity } from './store-identity.js';
import { SyncCounters } from './sync-counters.js';
import { liveSyncOptions, parseSyncOptions, type SyncOptions } from './sync-options.js';
import type { SyncParts } from './sync-parts.js';
import { composeStatus, summarize, type SyncSummary } from './sync-status.js';
import { Tombstones } from './tombstones.js';

/** The world as sync sees it, and who this process is. */
export interface SyncPorts {
  readonly dataFolder: string;
  /** Closed by whoever made it, after the engine. */
  readonly store: Store;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly version: string;
  readonly pid: number;
  /** What is not given has its default. */
  readonly options?: Partial<SyncOptions>;
  /** Called after something visible changed, at most once per turn of the event loop; read `status()` then. */
  readonly onStatusChange?: () => void;
  /** Default: LevelDB. */
  readonly openProgress?: OpenProgressDatabase;
  /** Default: {@link acquireRoleLock} for `sync`. */
  readonly acquireLock?: (fs: FileSystem, folder: DataFolder) => Promise<RoleLock>;
}

const NOT_SCANNED = '';

/**
 * Brings sealed segments into the store, each exactly once. `open` takes the data folder, `run` works until
 * told to stop, `drain` until nothing is left to do; after either the engine has ended, and `close` lets go.
 */
export class SyncEngine implements AsyncDisposable {
  readonly #ports: SyncPorts;
  readonly #startedAt: bigint;
  readonly #lifetime = new AbortController();
  readonly #parts: SyncParts;
  readonly #scan: SealedScan;
  readonly #windows: EventWindows;
  readonly #sender: SegmentSender;
  readonly #housekeeping: Housekeeping;
  readonly #scanBell = new Bell();
  readonly #watchers = new Set<() => void>();
  readonly #events: Emitter<SyncEvent>;
  readonly #changes: Emitter<void>;
  #toldLink: LinkState = 'unknown';
  #lock: RoleLock | undefined;
  #loops: Promise<void> | undefined;
  #fatal: unknown;
  #mustReset = true;
  /** What the table holds is towards this store. */
  #scannedStore: string | undefined = NOT_SCANNED;
  /** The store towards which the folder was looked through whole. */
  #scannedWhole: string | undefined = NOT_SCANNED;
  #scansBegun = 0;
  #scansDone = 0;
  #statusQueued = false;
  #closing: Promise<void> | undefined;

  private constructor(ports: SyncPorts, options: SyncOptions, lock: RoleLock | undefined) {
    this.#ports = ports;
    this.#lock = lock;
    this.#startedAt = ports.clock.now();
    this.#events = new Emitter('sync events', ports.logger);
    this.#changes = new Emitter('sync status changes', ports.logger);
    if (ports.onStatusChange) this.#changes.listen(ports.onStatusChange);
    // As many listeners as there are calls in flight, which the options bound.
    setMaxListeners(0, this.#lifetime.signal);
    this.#parts = this.#assemble(options);
    this.#windows = new EventWindows({
      fs: ports.fs,
      folder: this.#parts.folder.events,
      onTrouble: this.#parts.trouble,
    });
    this.#scan = new SealedScan({
      ...this.#parts,
      retryParked: options.retryParked,
      onTrouble: this.#parts.trouble,
      onKey: (key) => this.#parts.openUploads.addKey(key),
      onReceiptMissing: (name, record) => rewriteReceipt(this.#parts, name, record),
      // What the recorder knew when it sealed is in the manifest; the marks may say more.
      isMarked: (entry, { events }) => (events?.length ?? 0) > 0 || this.#isMarked(entry),
      onVanished: (entry) => this.#vanished(entry),
    });
    this.#housekeeping = new Housekeeping(this.#parts, async () => {
      this.#lock ??= await takeLock(ports, this.#parts.folder, this.#parts.trouble);
    });
    this.#sender = new SegmentSender(this.#parts, () => {
      if (this.#parts.tombstones.waiting > 0) this.#housekeeping.wake();
    });
  }

  /**
   * Takes the role `sync` on the data folder and reads what an earlier process left. The store is not
   * asked yet. Throws `CONFIG_INVALID`, `DATA_FOLDER_BUSY`.
   */
  static async open(ports: SyncPorts): Promise<SyncEngine> {
    const options = parseSyncOptions(ports.options);
    const troubles: string[] = [];
    const lock = await takeLock(ports, dataFolder(ports.dataFolder), (message) => troubles.push(message));
    const engine = new SyncEngine(ports, options, lock);
    for (const message of troubles) engine.#trouble(message);
    try {
      await engine.#open();
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** Works until the signal aborts. Rejects only when it can never work. */
  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    await this.#until(() => false, signal);
    await this.#stop();
  }

  /**
   * Works until every segment sealed so far is verified or parked and every tombstone is told, or the
   * signal aborts: `complete` in the summary says which. A dead link is waited for.
   */
  async drain(signal: AbortSignal): Promise<SyncSummary> {
    this.#start();
    const firstScan = this.#scansBegun + 1;
    this.#scanBell.ring();
    const complete = await this.#until(() => this.#scansDone >= firstScan && this.#isDone(), signal);
    await this.#stop();
    const { receipts, progress } = this.#parts;
    await receipts.retry();
    await progress.retry();
    const unwritten = receipts.unwritten + progress.unwritten;
    return summarize({ ...this.#parts, complete, unwritten });
  }

  /** Looks and tries now: ends backoffs, of the link and of single segments. */
  syncNow(): void {
    this.#parts.table.releaseDelayed();
    this.#parts.link.retryNow();
    this.#scanBell.ring();
    this.#sender.wake();
    this.#housekeeping.wake();
  }

  /**
   * Takes over options at once, all or none; what is not given stays. Uploads under way go on as they began.
   * Returns the names of those that changed. Throws `CONFIG_INVALID`, and `STATE_REFUSED` where one that is
   * fixed differs ({@link liveSyncOptions} are not).
   */
  reconfigure(given: Partial<SyncOptions>): readonly (keyof SyncOptions)[] {
    const before = this.#parts.options;
    const options = parseSyncOptions({ ...before, ...given });
    const names = Object.keys(options) as (keyof SyncOptions)[];
    const changed = names.filter((name) => options[name] !== before[name]);
    const live: readonly (keyof SyncOptions)[] = liveSyncOptions;
    const fixed = changed.filter((name) => !live.includes(name));
    if (fixed.length > 0) {
      throw new HoldfastError('STATE_REFUSED', `fixed while sync runs: ${fixed.join(', ')}`, {
        facts: { fixed },
      });
    }
    if (changed.length === 0) return changed;
    this.#parts.options = options;
    this.#parts.link.reconfigure(backoffOf(options), options.idleProbeMs);
    this.#parts.calls.timeoutMs = options.callTimeoutMs;
    if (changed.includes('order')) this.#parts.table.setOrder(options.order);
    this.#sender.reconfigure();
    this.#scanBell.ring();
    this.#housekeeping.wake();
    this.#changed();
    return changed;
  }

  /** What happens, as it happens. */
  get onEvent(): Listen<SyncEvent> {
    return this.#events.listen;
  }

  /** Called after something visible changed, at most once per turn of the event loop; read `status()` then. */
  get onStatusChange(): Listen<void> {
    return this.#changes.listen;
  }

  /** Lets these segments (sealed names without `.mcap`) go before all others, where they still wait. */
  putFirst(names: Iterable<string>): void {
    this.#parts.table.putFirst(names);
  }

  status(): SyncStatus {
    const { version, pid } = this.#ports;
    const { store, folder, identity } = this.#parts;
    return composeStatus({
      ...this.#parts,
      version,
      pid,
      dataFolder: folder.root,
      storeUri: store.uri,
      storeId: identity.storeId,
      startedAt: this.#startedAt,
      active: this.#sender.active,
    });
  }

  /** Stops working and lets go of the data folder. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assemble(options: SyncOptions): SyncParts {
    const { clock, fs, random, store, logger, openProgress } = this.#ports;
    const lifetime = this.#lifetime.signal;
    const folder = dataFolder(this.#ports.dataFolder);
    const trouble = (message: string): void => this.#trouble(message);
    const changed = (): void => this.#changed();
    const counters = new SyncCounters(clock);
    const calls = new StoreCalls(clock, options.callTimeoutMs, (what, error) => {
      counters.noteError(`${what}: ${describeError(error)}`);
      changed();
    });
    const identity = new StoreIdentity(
      {
        fs,
        folder,
        store,
        random,
        logger,
        within: (ask) => calls.within('ask the store for its id', 0, lifetime, ask),
        onKnown: () => {
          this.#mustReset = true;
          this.#scanBell.ring();
        },
      },
      options,
    );
    const link = new Link(
      { clock, random, logger, probe: () => identity.check(), onChange: () => this.#linkChanged() },
      backoffOf(options),
      options.idleProbeMs,
    );
    calls.attach(link);
    const table = new SegmentTable(options.order);
    const isUploading = (name: string): boolean =>
      ['pending', 'active'].includes(table.get(name)?.state ?? '');
    const checkIdentity = (): Promise<void> => identity.check();
    return {
      fs,
      clock,
      random,
      logger,
      store,
      folder,
      options,
      counters,
      calls,
      link,
      identity,
      table,
      lifetime,
      changed,
      trouble,
      tell: (event) => this.#events.emit(event),
      receipts: new Receipts({ fs, folder, onTrouble: trouble }),
      progress: new ProgressStore({
        fs,
        clock,
        logger,
        folder,
        openDatabase: openProgress ?? openLevelProgress,
        onTrouble: trouble,
      }),
      tombstones: new Tombstones({
        fs,
        folder,
        store,
        logger,
        calls,
        checkIdentity,
        isUploading,
        onTrouble: trouble,
      }),
      openUploads: new OpenUploads({ store, calls, clock, logger }),
      isTableValid: () => this.#isTableValid(),
    };
  }

  async #open(): Promise<void> {
    const { fs, folder, progress, identity, tombstones } = this.#parts;
    for (const path of [folder.sealed, folder.receipts, folder.tombstones]) {
      await makeDirectoryDurably(fs, path).catch((error: unknown) =>
        this.#trouble(`${path} cannot be created: ${describeError(error)}`),
      );
    }
    await progress.open();
    await identity.load();
    await tombstones.count();
  }

  async #close(): Promise<void> {
    this.#lifetime.abort(stopped());
    await this.#loops;
    await this.#parts.progress.close();
    await this.#lock?.close();
  }

  #start(): void {
    const { signal } = this.#lifetime;
    if (signal.aborted) throw new HoldfastError('INTERNAL', 'sync was started again after it had ended');
    const guard = (loop: Promise<void>): Promise<void> =>
      loop.catch((error: unknown) => {
        if (!signal.aborted) this.#fail(error);
      });
    this.#loops ??= Promise.all([
      guard(this.#parts.link.run(signal)),
      guard(this.#scanLoop(signal)),
      guard(this.#sender.run()),
      guard(this.#housekeeping.run()),
    ]).then(() => undefined);
  }

  async #stop(): Promise<void> {
    this.#lifetime.abort(stopped());
    await this.#loops;
    if (this.#fatal !== undefined) throw this.#fatal;
  }

  #fail(error: unknown): void {
    this.#fatal ??= error;
    this.#ports.logger.error('sync stopped', { error: describeError(error) });
    this.#lifetime.abort(error);
    this.#changed();
  }

  /** Waits for a state; false when the signal (or a failure) came first. */
  #until(reached: () => boolean, signal: AbortSignal): Promise<boolean> {
    const { lifetime } = this.#parts;
    return new Promise((resolve) => {
      const look = (): void => {
        const isReached = reached();
        if (!isReached && !signal.aborted && !lifetime.aborted) return;
        this.#watchers.delete(look);
        signal.removeEventListener('abort', look);
        lifetime.removeEventListener('abort', look);
        resolve(isReached);
      };
      this.#watchers.add(look);
      signal.addEventListener('abort', look);
      lifetime.addEventListener('abort', look);
      look();
    });
  }

  #isTableValid(): boolean {
    return !this.#mustReset && this.#scannedStore === this.#parts.identity.storeId;
  }

  #isDone(): boolean {
    const { table, tombstones } = this.#parts;
    const isWhole = this.#isTableValid() && this.#scannedWhole === this.#scannedStore;
    return isWhole && table.unfinished === 0 && tombstones.waiting === 0;
  }

  #changed(): void {
    if (this.#statusQueued) return;
    this.#statusQueued = true;
    setImmediate(() => {
      this.#statusQueued = false;
      for (const look of [...this.#watchers]) look();
      this.#changes.emit();
    });
  }

  #linkChanged(): void {
    const { link } = this.#parts;
    if (link.state !== this.#toldLink) {
      this.#toldLink = link.state;
      const reason = link.state === 'offline' ? { reason: describeError(link.error) } : {};
      this.#events.emit({ kind: 'link', link: link.state, since: String(link.since), ...reason });
    }
    this.#changed();
  }

  #trouble(message: string): void {
    const { counters } = this.#parts;
    if (message !== counters.lastError) this.#ports.logger.warn('sync trouble', { message });
    counters.noteError(message);
    this.#changed();
  }

  async #scanLoop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    let force = true;
    while (!signal.aborted) {
      this.#scansBegun++;
      const whole = await this.#scanOnce(signal, force);
      if (whole) {
        this.#scansDone = this.#scansBegun;
        this.#scannedWhole = this.#scannedStore;
      }
      force = !whole;
      this.#sender.wake();
      this.#changed();
      await this.#scanBell.wait(clock, this.#parts.options.pollIntervalMs, signal);
    }
  }

  async #scanOnce(signal: AbortSignal, force: boolean): Promise<boolean> {
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
    const tombstonesBefore = tombstones.waiting;
    if ((await tombstones.count()) > tombstonesBefore) this.#housekeeping.wake();
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

  #vanished(entry: SegmentEntry): void {
    const { table, identity, progress } = this.#parts;
    if (this.#sender.abandon(entry.name)) return;
    table.remove(entry);
    const { storeId } = identity;
    if (entry.record && storeId !== undefined) void progress.write(storeId, entry.name, undefined, false);
    this.#changed();
  }
}

function backoffOf({ backoffFirstMs, backoffMaxMs, backoffJitter }: SyncOptions): Backoff {
  return { firstMs: backoffFirstMs, maxMs: backoffMaxMs, jitter: backoffJitter };
}

// A disk nobody can write to cannot hold a lock either, and must not stop uploading: two processes would
// waste bandwidth, not data.
async function takeLock(
  { fs, acquireLock }: SyncPorts,
  folder: DataFolder,
  trouble: (message: string) => void,
): Promise<RoleLock | undefined> {
  try {
    return await (acquireLock?.(fs, folder) ?? acquireRoleLock(fs, folder, 'sync'));
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_BUSY')) throw error;
    trouble(`the sync lock cannot be taken now, going on without: ${describeError(error)}`);
    return undefined;
  }
}

function stopped(): Error {
  return new Error('sync was stopped');
}
