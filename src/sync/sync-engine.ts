import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Manifest } from '../core/manifest.js';
import type { SyncStatus } from '../core/status.js';
import type { Store, Upload, Verification } from '../core/store.js';
import { acquireRoleLock, type RoleLock } from '../wal/role-lock.js';
import { BandwidthLimit } from './bandwidth-limit.js';
import { Bell } from './bell.js';
import { Budget } from './budget.js';
import { backoffMs, type Backoff } from './link-state.js';
import { Link } from './link.js';
import { OpenUploads } from './open-uploads.js';
import { openLevelProgress, type OpenProgressDatabase } from './progress-database.js';
import type { ProgressRecord } from './progress-record.js';
import { ProgressStore } from './progress-store.js';
import { Receipts } from './receipts.js';
import { SealedScan, type VerifiedRecord } from './sealed-scan.js';
import { SegmentTable, type SegmentEntry } from './segment-table.js';
import { StoreCalls } from './store-calls.js';
import { StoreIdentity } from './store-identity.js';
import { SyncCounters } from './sync-counters.js';
import { parseSyncOptions, type SyncOptions } from './sync-options.js';
import { composeStatus, summarize, type ActiveUpload, type SyncSummary } from './sync-status.js';
import { Tombstones } from './tombstones.js';
import {
  parseSealedManifest,
  SegmentUpload,
  type UploadHooks,
  type UploadOutcome,
  type UploadPorts,
} from './upload-segment.js';

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
  readonly options?: Partial<SyncOptions>;
  /** Called after something visible changed, at most once per turn of the event loop; read `status()` then. */
  readonly onStatusChange?: () => void;
  /** Default: LevelDB. */
  readonly openProgress?: OpenProgressDatabase;
  /** Default: {@link acquireRoleLock} for `sync`. */
  readonly acquireLock?: (fs: FileSystem, folder: DataFolder) => Promise<RoleLock>;
}

const SWEEP_INTERVAL_MAX_MS = 3_600_000;
const IDLE_WAIT_MS = 3_600_000;
const NOT_SCANNED = '';

/**
 * Brings sealed segments into the store, each exactly once. `open` takes the data folder, `run` works until
 * told to stop, `drain` until nothing is left to do, `close` lets go.
 */
export class SyncEngine implements AsyncDisposable {
  readonly #ports: SyncPorts;
  readonly #options: SyncOptions;
  readonly #folder: DataFolder;
  readonly #startedAt: bigint;
  readonly #counters: SyncCounters;
  readonly #calls: StoreCalls;
  readonly #link: Link;
  readonly #identity: StoreIdentity;
  readonly #table: SegmentTable;
  readonly #scan: SealedScan;
  readonly #receipts: Receipts;
  readonly #tombstones: Tombstones;
  readonly #openUploads: OpenUploads;
  readonly #bandwidth: BandwidthLimit;
  readonly #partBytes: number;
  readonly #memory: Budget;
  readonly #segmentSlots: Budget;
  readonly #uploadSlots: Budget;
  readonly #backoff: Backoff;
  readonly #active = new Map<string, ActiveUpload & { readonly abort: AbortController }>();
  readonly #lifetime = new AbortController();
  readonly #scanBell = new Bell();
  readonly #workBell = new Bell();
  readonly #houseBell = new Bell();
  readonly #watchers = new Set<() => void>();
  #progress!: ProgressStore;
  #lock: RoleLock | undefined;
  #loops: Promise<void> | undefined;
  #fatal: unknown;
  /** The store towards which the folder was looked through whole. */
  #scannedWhole: string | undefined = NOT_SCANNED;
  /** What the table holds is towards this store. */
  #scannedStore: string | undefined = NOT_SCANNED;
  #mustReset = true;
  #scansDone = 0;
  #scansBegun = 0;
  #found: Promise<Map<string, Upload>> | undefined;
  #sweptAt: bigint | undefined;
  #statusQueued = false;
  #closing: Promise<void> | undefined;

  private constructor(ports: SyncPorts) {
    const { clock, fs, random, store, logger } = ports;
    // As many listeners as there are calls in flight, which the options bound.
    setMaxListeners(0, this.#lifetime.signal);
    this.#ports = ports;
    this.#options = parseSyncOptions(ports.options);
    this.#folder = dataFolder(ports.dataFolder);
    this.#startedAt = clock.now();
    this.#counters = new SyncCounters(clock);
    this.#backoff = {
      firstMs: this.#options.backoffFirstMs,
      maxMs: this.#options.backoffMaxMs,
      jitter: this.#options.backoffJitter,
    };
    const folder = this.#folder;
    const onTrouble = (message: string): void => this.#trouble(message);
    this.#calls = new StoreCalls(clock, this.#options.callTimeoutMs, (what, error) => {
      this.#counters.noteError(`${what}: ${describeError(error)}`);
      this.#changed();
    });
    this.#identity = new StoreIdentity(
      {
        fs,
        folder,
        store,
        random,
        logger,
        within: (ask) => this.#calls.within('ask the store for its id', 0, this.#lifetime.signal, ask),
        onKnown: () => this.#startOver(),
      },
      this.#options,
    );
    this.#link = new Link(
      {
        clock,
        random,
        logger,
        probe: () => this.#identity.check(),
        onChange: () => {
          if (this.#link.error !== undefined) this.#counters.noteError(this.#link.error);
          this.#changed();
        },
      },
      this.#backoff,
      this.#options.idleProbeMs,
    );
    this.#calls.attach(this.#link);
    this.#table = new SegmentTable(this.#options.order);
    this.#receipts = new Receipts({ fs, folder, onTrouble });
    this.#openUploads = new OpenUploads({ store, calls: this.#calls, clock, logger });
    this.#scan = new SealedScan({
      fs,
      clock,
      folder,
      table: this.#table,
      receipts: this.#receipts,
      retryParked: this.#options.retryParked,
      onTrouble,
      onKey: (key) => this.#openUploads.addKey(key),
      onReceiptMissing: (name, record) => this.#rewriteReceipt(name, record),
      onVanished: (entry) => this.#vanished(entry),
    });
    this.#tombstones = new Tombstones({
      fs,
      folder,
      store,
      logger,
      calls: this.#calls,
      checkIdentity: () => this.#identity.check(),
      isUploading: (name) => ['pending', 'active'].includes(this.#table.get(name)?.state ?? ''),
      onTrouble,
    });
    this.#bandwidth = new BandwidthLimit(clock, this.#options.bandwidthBytesPerS);
    this.#partBytes = Math.max(this.#options.partBytes, store.limits.minPartBytes);
    this.#memory = new Budget(this.#options.partsInFlight * this.#partBytes);
    this.#segmentSlots = new Budget(this.#options.segmentsInFlight);
    this.#uploadSlots = new Budget(this.#options.uploadsInFlight);
  }

  /**
   * Takes the role `sync` on the data folder and reads what an earlier process left. The store is not
   * asked yet. Throws `DATA_FOLDER_BUSY`, `CONFIG_INVALID`.
   */
  static async open(ports: SyncPorts): Promise<SyncEngine> {
    const engine = new SyncEngine(ports);
    try {
      await engine.#open();
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** Works until the signal aborts. Rejects only when it can never work (`DATA_FOLDER_BUSY`). */
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
    await this.#receipts.retry();
    await this.#progress.retry();
    return this.#summary(complete);
  }

  /** Looks and tries now: ends backoffs, of the link and of single segments. */
  syncNow(): void {
    this.#table.releaseDelayed();
    this.#link.retryNow();
    this.#scanBell.ring();
    this.#workBell.ring();
    this.#houseBell.ring();
  }

  /** Lets these segments (sealed names without `.mcap`) go before all others, where they still wait. */
  putFirst(names: Iterable<string>): void {
    this.#table.putFirst(names);
  }

  status(): SyncStatus {
    const { version, pid, store, clock } = this.#ports;
    return composeStatus({
      version,
      pid,
      dataFolder: this.#folder.root,
      storeUri: store.uri,
      storeId: this.#identity.storeId,
      startedAt: this.#startedAt,
      now: clock.monotonic(),
      link: this.#link,
      calls: this.#calls.counters,
      counters: this.#counters,
      table: this.#table,
      tombstones: this.#tombstones,
      active: this.#active,
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

  async #open(): Promise<void> {
    const { fs, clock, logger, openProgress } = this.#ports;
    await this.#takeLock();
    for (const path of [this.#folder.sealed, this.#folder.receipts, this.#folder.tombstones]) {
      await makeDirectoryDurably(fs, path).catch((error: unknown) =>
        this.#trouble(`${path} cannot be created: ${describeError(error)}`),
      );
    }
    this.#progress = await ProgressStore.open({
      fs,
      clock,
      logger,
      folder: this.#folder,
      openDatabase: openProgress ?? openLevelProgress,
      onTrouble: (message) => this.#trouble(message),
    });
    await this.#identity.load();
    await this.#tombstones.count();
  }

  // A disk nobody can write to cannot hold a lock either, and must not stop uploading: two processes
  // would waste bandwidth, not data.
  async #takeLock(): Promise<void> {
    const { fs, acquireLock } = this.#ports;
    try {
      this.#lock = await (acquireLock?.(fs, this.#folder) ?? acquireRoleLock(fs, this.#folder, 'sync'));
    } catch (error) {
      if (isHoldfastError(error, 'DATA_FOLDER_BUSY')) throw error;
      this.#trouble(`the sync lock cannot be taken now, going on without: ${describeError(error)}`);
    }
  }

  async #close(): Promise<void> {
    this.#lifetime.abort(stopped());
    await this.#loops;
    await this.#progress?.close();
    await this.#lock?.close();
  }

  #start(): void {
    if (this.#closing) throw new HoldfastError('INTERNAL', 'sync was used after it was closed');
    const { signal } = this.#lifetime;
    const guard = (loop: Promise<void>): Promise<void> =>
      loop.catch((error: unknown) => {
        if (!signal.aborted) this.#fail(error);
      });
    this.#loops ??= Promise.all([
      guard(this.#link.run(signal)),
      guard(this.#scanLoop(signal)),
      guard(this.#transferLoop(signal)),
      guard(this.#houseLoop(signal)),
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
    return new Promise((resolve) => {
      const look = (): void => {
        const isReached = reached();
        if (!isReached && !signal.aborted && !this.#lifetime.signal.aborted) return;
        this.#watchers.delete(look);
        signal.removeEventListener('abort', look);
        this.#lifetime.signal.removeEventListener('abort', look);
        resolve(isReached);
      };
      this.#watchers.add(look);
      signal.addEventListener('abort', look);
      this.#lifetime.signal.addEventListener('abort', look);
      look();
    });
  }

  #isDone(): boolean {
    const isWhole = this.#isTableValid() && this.#scannedWhole === this.#scannedStore;
    return isWhole && this.#table.unfinished === 0 && this.#tombstones.waiting === 0;
  }

  #isTableValid(): boolean {
    return !this.#mustReset && this.#scannedStore === this.#identity.storeId;
  }

  #changed(): void {
    if (this.#statusQueued) return;
    this.#statusQueued = true;
    setImmediate(() => {
      this.#statusQueued = false;
      for (const look of [...this.#watchers]) look();
      try {
        this.#ports.onStatusChange?.();
      } catch (error) {
        this.#ports.logger.error('status listener failed', { error: describeError(error) });
      }
    });
  }

  #trouble(message: string): void {
    if (message !== this.#counters.lastError) this.#ports.logger.warn('sync trouble', { message });
    this.#counters.noteError(message);
    this.#changed();
  }

  // ---- what there is

  /** The store became known: everything is looked at again, now with its receipts and records. */
  async #startOver(): Promise<void> {
    this.#mustReset = true;
    this.#scanBell.ring();
  }

  async #scanLoop(signal: AbortSignal): Promise<void> {
    let force = true;
    while (!signal.aborted) {
      this.#scansBegun++;
      const whole = await this.#scanOnce(signal, force);
      if (whole) {
        this.#scansDone = this.#scansBegun;
        this.#scannedWhole = this.#scannedStore;
      }
      force = !whole;
      this.#workBell.ring();
      this.#changed();
      await this.#scanBell.wait(this.#ports.clock, this.#options.pollIntervalMs, signal);
    }
  }

  async #scanOnce(signal: AbortSignal, force: boolean): Promise<boolean> {
    const { storeId } = this.#identity;
    if (this.#mustReset) {
      this.#mustReset = false;
      this.#scannedStore = NOT_SCANNED;
      this.#scannedWhole = NOT_SCANNED;
      const records = storeId === undefined ? new Map() : await this.#progress.load(storeId);
      await this.#scan.reset(storeId, records);
      this.#scannedStore = storeId;
      force = true;
    }
    const tombstonesBefore = this.#tombstones.waiting;
    if ((await this.#tombstones.count()) > tombstonesBefore) this.#houseBell.ring();
    return this.#scan.poll(signal, force);
  }

  #vanished(entry: SegmentEntry): void {
    const active = this.#active.get(entry.name);
    if (active) return active.abort.abort(new Error(`${entry.name} was evicted`));
    this.#forget(entry);
  }

  #forget(entry: SegmentEntry): void {
    this.#table.remove(entry);
    if (entry.record) void this.#remember(entry, undefined, false);
    this.#changed();
  }

  #remember(entry: SegmentEntry, record: ProgressRecord | undefined, sync: boolean): Promise<void> {
    if (record) entry.record = record;
    const { storeId } = this.#identity;
    return storeId === undefined
      ? Promise.resolve()
      : this.#progress.write(storeId, entry.name, record, sync);
  }

  // ---- sending

  async #transferLoop(signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    try {
      for (;;) {
        const freeSegment = await this.#segmentSlots.take(1, signal);
        const entry = await this.#nextEntry(signal);
        const isLarge = entry.bytes > this.#partBytes;
        const freeUpload = isLarge ? await this.#uploadSlots.take(1, signal) : (): void => undefined;
        const turn = this.#turn(entry, freeUpload)
          .catch((error: unknown) => {
            if (!signal.aborted) this.#fail(error);
          })
          .finally(() => {
            running.delete(turn);
            freeUpload();
            freeSegment();
          });
        running.add(turn);
      }
    } finally {
      await Promise.all(running);
    }
  }

  async #nextEntry(signal: AbortSignal): Promise<SegmentEntry> {
    const { clock } = this.#ports;
    for (;;) {
      await this.#link.whenOnline(signal);
      const entry = this.#isTableValid() ? this.#table.takeNext(clock.monotonic()) : undefined;
      if (entry) return entry;
      const dueAt = this.#table.nextDueAt;
      const waitMs = dueAt === undefined ? IDLE_WAIT_MS : Number(dueAt - clock.monotonic()) / 1e6;
      await this.#workBell.wait(clock, Math.max(1, waitMs), signal);
      signal.throwIfAborted();
    }
  }

  /** One turn of one segment: as far as it gets. */
  async #turn(entry: SegmentEntry, onAllRead: () => void): Promise<void> {
    const { clock } = this.#ports;
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    const { signal } = this.#lifetime;
    const onStop = (): void => abort.abort(signal.reason);
    signal.addEventListener('abort', onStop, { once: true });
    const active = { abort, entry, sentBytes: 0, startedAt: clock.monotonic() };
    this.#active.set(entry.name, active);
    this.#changed();
    let outcome: UploadOutcome;
    try {
      outcome = await this.#upload(entry, active, onAllRead);
    } catch (error) {
      if (signal.aborted) throw error;
      outcome = outcomeOf(error);
    } finally {
      this.#active.delete(entry.name);
      signal.removeEventListener('abort', onStop);
    }
    await this.#settle(entry, outcome);
    this.#workBell.ring();
    this.#changed();
  }

  async #upload(
    entry: SegmentEntry,
    active: ActiveUpload & { readonly abort: AbortController },
    onAllRead: () => void,
  ): Promise<UploadOutcome> {
    const { fs } = this.#ports;
    const manifestBytes = await fs.readFile(join(this.#folder.sealed, `${entry.name}.json`));
    const manifest = parseSealedManifest(manifestBytes, entry.name);
    const found = await this.#findUpload(entry, manifest);
    const job = {
      name: entry.name,
      manifest,
      manifestBytes,
      fresh: entry.fresh && entry.turns === 0,
      ...(entry.record ? { record: entry.record } : {}),
      ...(found ? { found } : {}),
    };
    const hooks = this.#hooks(entry, active, manifest, onAllRead);
    return new SegmentUpload(this.#uploadPorts(), job, hooks, active.abort.signal).run();
  }

  #uploadPorts(): UploadPorts {
    const { fs, store, logger } = this.#ports;
    const { attemptsPerTurn, partsPerUpload } = this.#options;
    return {
      fs,
      store,
      logger,
      calls: this.#calls,
      bandwidth: this.#bandwidth,
      memory: this.#memory,
      sealed: this.#folder.sealed,
      partBytes: this.#partBytes,
      partsPerUpload: store.supports.parallelParts ? partsPerUpload : 1,
      attempts: attemptsPerTurn,
      checkIdentity: () => this.#identity.check(),
      lifetime: this.#lifetime.signal,
    };
  }

  #hooks(entry: SegmentEntry, active: ActiveUpload, manifest: Manifest, onAllRead: () => void): UploadHooks {
    const counters = this.#counters;
    return {
      onProgress: (bytes) => {
        active.sentBytes = bytes;
        this.#changed();
      },
      onSent: (bytes) => counters.sent(bytes),
      onResend: (bytes) => (counters.resentBytes += bytes),
      onResumed: () => counters.resumedUploads++,
      onRetry: (error) => {
        counters.retries++;
        counters.noteError(`${entry.name}: ${describeError(error)}`);
        this.#changed();
      },
      onCollision: (key, newKey) => {
        const message = `${key} holds other bytes and a manifest; the segment goes to ${newKey}`;
        entry.alarm = { code: 'OBJECT_EXISTS', message };
        this.#ports.logger.error('object key is taken', { segment: entry.name, key, newKey });
        counters.noteError(message);
      },
      onAllRead,
      remember: (record, sync) => this.#remember(entry, record, sync),
      recorded: (key, verification) => this.#recordVerified(entry, manifest, key, verification),
    };
  }

  /** Only a data folder without its records needs to search the store for uploads it may have begun. */
  async #findUpload(entry: SegmentEntry, manifest: Manifest): Promise<Upload | undefined> {
    if (!this.#progress.rebuilt || entry.fresh || entry.record) return undefined;
    if (manifest.file.bytes <= this.#partBytes) return undefined;
    this.#found ??= this.#openUploads.find(this.#lifetime.signal);
    try {
      return (await this.#found).get(manifest.key);
    } catch (error) {
      this.#found = undefined;
      throw error;
    }
  }

  async #recordVerified(
    entry: SegmentEntry,
    manifest: Manifest,
    key: string,
    verification: Verification,
  ): Promise<void> {
    const { sha256, bytes } = manifest.file;
    const verifiedAt = String(this.#ports.clock.now());
    const record: VerifiedRecord = { state: 'verified', key, bytes, sha256, verification, verifiedAt };
    await this.#writeReceipt(entry.name, manifest, record);
    await this.#remember(entry, record, false);
  }

  async #writeReceipt(name: string, manifest: Manifest, record: VerifiedRecord): Promise<void> {
    const { storeId } = this.#identity;
    if (storeId === undefined) return;
    const { key, sha256, verification, verifiedAt } = record;
    const receipt = { storeId, uri: this.#ports.store.uri, key, sha256, verification, verifiedAt };
    await this.#receipts.write(name, { segment: manifest.segment.id, robot: manifest.robot, receipt });
  }

  async #rewriteReceipt(name: string, record: VerifiedRecord): Promise<void> {
    try {
      const bytes = await this.#ports.fs.readFile(join(this.#folder.sealed, `${name}.json`));
      await this.#writeReceipt(name, parseSealedManifest(bytes, name), record);
    } catch (error) {
      this.#trouble(`receipt of ${name} cannot be written again: ${describeError(error)}`);
    }
  }

  async #settle(entry: SegmentEntry, outcome: UploadOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'verified':
        this.#counters.verifiedSegments++;
        this.#counters.verifiedBytes += entry.bytes;
        this.#counters.lastSyncAt = this.#ports.clock.now();
        this.#table.move(entry, 'verified');
        if (this.#tombstones.waiting > 0) this.#houseBell.ring();
        return;
      case 'parked': {
        const { code, message } = outcome;
        const { robot, bytes } = entry;
        entry.alarm = { code, message };
        this.#ports.logger.error('segment parked', { segment: entry.name, code, message });
        this.#counters.noteError(message);
        this.#table.move(entry, 'parked');
        if (this.#tombstones.waiting > 0) this.#houseBell.ring();
        return this.#remember(entry, { state: 'parked', robot, bytes, code, message }, true);
      }
      case 'gone':
        return this.#forget(entry);
      case 'deferred': {
        entry.turns++;
        const random01 = Buffer.from(this.#ports.random(4)).readUInt32LE() / 2 ** 32;
        const waitMs = backoffMs(this.#backoff, entry.turns, random01);
        this.#counters.noteError(outcome.error);
        const dueAt = this.#ports.clock.monotonic() + BigInt(Math.round(waitMs * 1e6));
        return this.#table.move(entry, 'pending', dueAt);
      }
    }
  }

  // ---- what can wait

  async #houseLoop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      await this.#houseBell.wait(clock, this.#options.housekeepingIntervalMs, signal);
      if (signal.aborted) return;
      if (!this.#lock) await this.#takeLock();
      await this.#receipts.retry();
      await this.#progress.retry();
      if (this.#link.state === 'online') await this.#houseOnline(signal);
      this.#changed();
    }
  }

  async #houseOnline(signal: AbortSignal): Promise<void> {
    try {
      if (this.#tombstones.waiting > 0) await this.#tombstones.deliver(signal);
      await this.#sweep(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#counters.noteError(error);
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const { staleUploadAgeMs } = this.#options;
    const everyMs = Math.min(SWEEP_INTERVAL_MAX_MS, staleUploadAgeMs);
    const now = clock.monotonic();
    if (this.#sweptAt !== undefined && Number(now - this.#sweptAt) / 1e6 < everyMs) return;
    // Before the first look at the folder nothing is known about what is its own.
    if (this.#scansDone === 0 || !this.#isTableValid()) return;
    this.#sweptAt = now;
    await this.#openUploads.sweep(staleUploadAgeMs, (upload) => this.#isKnownUpload(upload), signal);
  }

  #isKnownUpload(upload: Upload): boolean {
    for (const entry of this.#table.values()) {
      // Its upload may have been created a moment ago, or be the one a lost record named.
      const isWaiting = entry.state === 'active' || entry.state === 'pending';
      if (isWaiting && upload.key.includes(entry.name.split('.')[0] ?? entry.name)) return true;
      if (entry.record?.state === 'uploading' && entry.record.uploadId === upload.uploadId) return true;
    }
    return false;
  }

  #summary(complete: boolean): SyncSummary {
    return summarize({
      complete,
      counters: this.#counters,
      calls: this.#calls.counters,
      table: this.#table,
      tombstones: this.#tombstones,
      unwritten: this.#receipts.unwritten + this.#progress.unwritten,
      link: this.#link,
    });
  }
}

function stopped(): Error {
  return new Error('sync was stopped');
}

/** What an error outside the store means for the segment. */
function outcomeOf(error: unknown): UploadOutcome {
  if (systemCode(error) === 'ENOENT') return { kind: 'gone' };
  if (isHoldfastError(error, 'MANIFEST_INVALID')) {
    return { kind: 'parked', code: error.code, message: error.message };
  }
  return { kind: 'deferred', error };
}
