import { setMaxListeners } from 'node:events';
import { dataFolder } from '../core/data-folder.js';
import { describeError, HoldfastError } from '../core/errors.js';
import type { SyncEvent } from '../core/events.js';
import type { Listen } from '../core/listen.js';
import type { SyncStatus } from '../core/status.js';
import type { RoleLock } from '../host/role-lock.js';
import { assembleSync, backoffOf } from './assemble-sync.js';
import { changeOptions } from './change-options.js';
import { Confirmer } from './confirmer.js';
import { FetchRequests } from './fetch-requests.js';
import { FolderWatch } from './folder-watch.js';
import { Housekeeping } from './housekeeping.js';
import { openState } from './open-state.js';
import { Scrub } from './scrub.js';
import { SegmentSender } from './segment-sender.js';
import type { SegmentEntry } from './segment-table.js';
import type { SinkSpec } from './sync-sink.js';
import { parseSyncOptions, type SyncOptions } from './sync-options.js';
import type { SyncParts } from './sync-parts.js';
import { takeSyncLock, type SyncPorts } from './sync-ports.js';
import { SyncReports } from './sync-reports.js';
import { composeStatus, summarize, type SyncSummary } from './sync-status.js';

export type { SyncPorts } from './sync-ports.js';

/*
 * Sync uploads sealed segments into a store, each exactly once. docs/sync.md has the states; upload-state.ts
 * has their table.
 *
 * Layout: `sync/` has the progress database and the state of its store. `receipts/` has one file per sealed
 * object, with the answers of each store. `tombstones/` has the evictions that the store does not know yet.
 *
 * Invariants
 * - One engine per data folder and sink: the lock of the role is held from `open` to `close`.
 * - Object first, then verification, then the manifest in the store, then the local receipt. Each step may be
 *   repeated.
 * - Only a manifest in the store makes an object count. Nothing is read back from a store as its own proof:
 *   size and SHA-256 are compared with the local manifest.
 * - Sync deletes no local segment. Retention does, and only with a recently confirmed receipt of the store in
 *   use.
 * - A store is known by its id and a mark. If either differs, nothing is sent and no earlier receipt counts.
 * - Every call has a time limit and every retry a backoff. Open uploads, parts and buffers are bounded
 *   (sync-options.ts).
 *
 * Crash windows
 * - During a part: at most the parts in flight are sent again. The upload id was written down before the
 *   first part.
 * - Between completing and verifying: the object is there without a manifest. It is compared, not sent again.
 * - Between the manifest and the receipt: the next run finds the manifest and writes the receipt.
 * - The progress database is lost: unfinished uploads are found by listing them, or swept when they are old.
 */

/**
 * Uploads sealed segments into the store, each exactly once. `open` takes the data folder. `run` works until
 * the signal aborts, `drain` until no work is left. Each ends the engine. `close` releases the data folder.
 */
export class SyncEngine implements AsyncDisposable {
  readonly #ports: SyncPorts;
  readonly #startedAt: bigint;
  readonly #lifetime = new AbortController();
  readonly #parts: SyncParts;
  readonly #watch: FolderWatch;
  readonly #sender: SegmentSender;
  readonly #housekeeping: Housekeeping;
  readonly #confirmer: Confirmer;
  readonly #scrub: Scrub;
  readonly #requests: FetchRequests;
  readonly #reports: SyncReports;
  #lock: RoleLock | undefined;
  #loops: Promise<void> | undefined;
  #fatal: unknown;
  #closing: Promise<void> | undefined;

  private constructor(ports: SyncPorts, options: SyncOptions, lock: RoleLock | undefined) {
    this.#ports = ports;
    this.#lock = lock;
    this.#startedAt = ports.clock.now();
    this.#reports = new SyncReports(ports);
    // As many listeners as calls in flight, which the options bound.
    setMaxListeners(0, this.#lifetime.signal);
    this.#parts = assembleSync(ports, options, {
      lifetime: this.#lifetime.signal,
      changed: () => this.#reports.changes.changed(),
      trouble: (message) => this.#reports.trouble(message, this.#parts.counters),
      tell: (event) => this.#reports.tell(event),
      isTableValid: () => this.#watch.isValid,
      isTableWhole: () => this.#watch.isWhole,
      isMarked: (entry) => this.#watch.isMarked(entry),
      linkChanged: () => this.#reports.linkChanged(this.#parts.link),
      storeKnown: () => this.#watch.reset(),
    });
    this.#watch = new FolderWatch(this.#parts, {
      onLooked: () => {
        this.#sender.wake();
        this.#reports.changes.changed();
      },
      onTombstones: () => this.#housekeeping.wake(),
      onVanished: (entry) => this.#vanished(entry),
    });
    this.#housekeeping = new Housekeeping(this.#parts, async () => {
      this.#lock ??= await takeSyncLock(ports, this.#parts.folder, this.#parts.trouble);
    });
    this.#confirmer = new Confirmer(this.#parts, () => this.#sender.wake());
    this.#scrub = new Scrub(this.#parts, this.#confirmer);
    this.#requests = new FetchRequests(this.#parts, {
      request: (names) => this.request(names),
      progressOf: (name) => {
        const turn = this.#sender.active.get(name);
        return turn && Math.min(1, turn.sentBytes / Math.max(1, turn.entry.bytes));
      },
    });
    this.#sender = new SegmentSender(this.#parts, () => {
      if (this.#parts.tombstones.waiting > 0) this.#housekeeping.wake();
    });
  }

  /**
   * Takes the role `sync` on the data folder and reads the state of an earlier process. It does not ask the
   * store yet. Throws `CONFIG_INVALID`, `DATA_FOLDER_BUSY`.
   */
  static async open(ports: SyncPorts): Promise<SyncEngine> {
    const options = parseSyncOptions(ports.options);
    const troubles: string[] = [];
    const lock = await takeSyncLock(ports, dataFolder(ports.dataFolder), (message) => troubles.push(message));
    const engine = new SyncEngine(ports, options, lock);
    for (const message of troubles) engine.#parts.trouble(message);
    try {
      await openState(engine.#parts);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** Works until the signal aborts. Rejects only for a permanent fault. */
  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    await this.#reports.changes.until(() => false, [signal, this.#parts.lifetime]);
    await this.#stop();
  }

  /**
   * Works until every segment sealed so far is verified or parked and every tombstone is written, or until
   * the signal aborts; `complete` in the summary tells which. It waits for a dead link. Throws
   * `DATA_FOLDER_UNUSABLE` if this process is not allowed to read some sealed segments, when all others are done.
   */
  async drain(signal: AbortSignal): Promise<SyncSummary> {
    this.#start();
    const { nextLook } = this.#watch;
    this.#watch.wake();
    const isComplete = (): boolean => this.#watch.looked >= nextLook && this.#isDone();
    // Waiting does not change permissions, and a drain has nobody who watches its status. What can be read goes first.
    const denied = (): HoldfastError | undefined =>
      (this.#watch.ended ?? 0) >= nextLook && this.#isIdle() ? this.#watch.denied : undefined;
    const isOver = (): boolean => isComplete() || denied() !== undefined;
    const ended = await this.#reports.changes.until(isOver, [signal, this.#parts.lifetime]);
    const refusal = ended ? denied() : undefined;
    await this.#stop();
    if (refusal !== undefined) throw refusal;
    const complete = ended;
    const { receipts, progress } = this.#parts;
    await receipts.retry();
    await progress.retry();
    const unwritten = receipts.unwritten + progress.unwritten;
    return summarize({ ...this.#parts, complete, unwritten });
  }

  /** Scans and tries at once: ends the backoffs of the link and of single segments. */
  syncNow(): void {
    this.#parts.table.releaseDelayed();
    this.#parts.link.retryNow();
    this.#watch.wake();
    this.#sender.wake();
    this.#housekeeping.wake();
    this.#requests.wake();
  }

  /**
   * Applies the given options at once, all or none; the others keep their values. Uploads in progress
   * continue unchanged. Returns the names of the changed options. Throws `CONFIG_INVALID`, or `STATE_REFUSED`
   * if a fixed option would change (all except the live ones).
   */
  reconfigure(given: Partial<SyncOptions>): readonly (keyof SyncOptions)[] {
    const { options, changed } = changeOptions(this.#parts.options, given);
    if (changed.length === 0) return changed;
    this.#parts.options = options;
    this.#parts.link.reconfigure(backoffOf(options), options.idleProbeMs);
    this.#parts.calls.timeoutMs = options.callTimeoutMs;
    this.#parts.gate.reconfigure();
    if (changed.includes('upload')) this.#watch.applyPolicy();
    if (changed.includes('order')) this.#parts.table.setOrder(options.order);
    this.#sender.reconfigure();
    this.#watch.wake();
    this.#housekeeping.wake();
    this.#scrub.wake();
    this.#requests.wake();
    this.#reports.changes.changed();
    return changed;
  }

  /** Tries segments again that were parked with this code, at the next turn. */
  retryParked(code: string): void {
    this.#parts.table.unpark(code);
    this.#sender.wake();
    this.#reports.changes.changed();
  }

  /** Reports events when they happen. */
  get onEvent(): Listen<SyncEvent> {
    return this.#reports.onEvent;
  }

  /** Called after a visible change, at most once per turn of the event loop; read `status()` then. */
  get onStatusChange(): Listen<void> {
    return this.#reports.changes.listen;
  }

  /** Puts these pending segments (sealed names without `.mcap`) before all others. */
  putFirst(names: Iterable<string>): void {
    this.#parts.table.putFirst(names);
  }

  /**
   * These segments (sealed names without `.mcap`) go before all others, whatever the upload policy says. It
   * replaces the earlier request.
   */
  request(names: Iterable<string>): void {
    const { requested, table } = this.#parts;
    requested.clear();
    for (const name of names) requested.add(name);
    this.#watch.applyPolicy();
    table.putFirst(requested);
    this.#sender.wake();
    this.#reports.changes.changed();
  }

  /** The sink of this engine. */
  get sink(): SinkSpec {
    return this.#parts.sink;
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
      denied: this.#watch.denied,
    });
  }

  /** Stops and releases the data folder. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#lifetime.abort(stopped());
    await this.#loops;
    await this.#parts.ledger.settle();
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
      guard(this.#watch.run(signal)),
      guard(this.#parts.gate.run(signal, () => this.#sender.wake())),
      guard(this.#sender.run()),
      guard(this.#housekeeping.run()),
      guard(this.#confirmer.run()),
      guard(this.#scrub.run()),
      guard(this.#requests.run()),
    ]).then(() => undefined);
  }

  async #stop(): Promise<void> {
    this.#lifetime.abort(stopped());
    await this.#loops;
    if (this.#fatal !== undefined) throw this.#fatal as Error;
  }

  #fail(error: unknown): void {
    this.#fatal ??= error;
    this.#ports.logger.error('sync stopped', { error: describeError(error) });
    this.#lifetime.abort(error);
    this.#reports.changes.changed();
  }

  #isDone(): boolean {
    const { table, identity } = this.#parts;
    // Earlier verifications count only if the store is still in the same place.
    const isSure = identity.isSure || table.totals.verified.segments === 0;
    return isSure && this.#watch.isWhole && this.#isIdle();
  }

  /** Nothing that was found is left to do. */
  #isIdle(): boolean {
    const { table, tombstones } = this.#parts;
    return table.unfinished === 0 && tombstones.waiting === 0;
  }

  #vanished(entry: SegmentEntry): void {
    const { table, identity, progress } = this.#parts;
    void this.#parts.encryption?.forget(entry.name);
    if (this.#sender.abandon(entry.name)) return;
    table.remove(entry);
    const { storeId } = identity;
    if (entry.record && storeId !== undefined) void progress.write(storeId, entry.name, undefined, false);
    this.#reports.changes.changed();
  }
}

function stopped(): Error {
  return new Error('sync was stopped');
}
