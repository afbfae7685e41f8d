import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defined } from '../core/defined.js';
import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { Emitter } from '../core/emitter.js';
import { describeError } from '../core/errors.js';
import type { SyncEvent } from '../core/events.js';
import type { Listen } from '../core/listen.js';
import { SINKS_FILE, writeRequiredSinks, type RequiredSink } from '../core/sink.js';
import type { SyncStatus } from '../core/status.js';
import type { Store } from '../core/store.js';
import { present } from '../core/present.js';
import { aggregateStatus, type EngineStatus } from './aggregate-status.js';
import { BandwidthLimit } from './bandwidth-limit.js';
import { Places } from './places.js';
import { SendPolicyTeller } from './send-policy-file.js';
import { SharedLock } from './shared-lock.js';
import { SyncEngine } from './sync-engine.js';
import { parseSyncOptions, type SyncOptions } from './sync-options.js';
import type { SyncPorts } from './sync-ports.js';
import type { SharedByEngines, SharedTombstones, SinkSpec } from './sync-sink.js';
import type { SyncSummary } from './sync-status.js';
import { SerialQueue } from '../core/serial-queue.js';

/** A sink with its store; the caller closes store and deriver, after the group. */
export interface Sink {
  readonly spec: SinkSpec;
  readonly store: Store;
}

export type GroupPorts = Omit<SyncPorts, 'store' | 'sink' | 'shared' | 'stateFolder'> & {
  readonly sinks: readonly [Sink, ...Sink[]];
};

/** How a drain ended: for the required sinks together, and for each sink. */
export interface GroupSummary extends SyncSummary {
  readonly sinks: readonly ({ readonly name: string } & SyncSummary)[];
}

/** Delay before another try to write the list of sinks. */
const RETRY_NS = 5_000_000_000n;

/**
 * Uploads the sealed segments of one data folder to all its sinks. Each sink has its own engine with link,
 * queue and progress, so that a failing sink delays no other. They share the role's lock, the bandwidth, and
 * the files of the data folder that they write. `sinks.json` tells retention which of them count.
 */
export class SyncGroup implements AsyncDisposable {
  readonly #events: Emitter<SyncEvent>;
  readonly #changes: Emitter<void>;
  readonly #path: string;
  readonly #policy: SendPolicyTeller;
  #options: SyncOptions;
  #told = '';
  #triedAt: bigint | undefined;
  #closing: Promise<void> | undefined;

  readonly #ports: GroupPorts;
  readonly #engines: readonly [SyncEngine, ...SyncEngine[]];
  readonly #shared: SharedByEngines;
  readonly #lock: SharedLock;

  private constructor(
    ports: GroupPorts,
    engines: readonly [SyncEngine, ...SyncEngine[]],
    shared: SharedByEngines,
    lock: SharedLock,
    options: SyncOptions,
  ) {
    this.#ports = ports;
    this.#options = options;
    const { fs, logger, dataFolder: root } = ports;
    this.#policy = new SendPolicyTeller({ fs, root, turns: shared.files, logger });
    this.#engines = engines;
    this.#shared = shared;
    this.#lock = lock;
    this.#path = join(ports.dataFolder, SINKS_FILE);
    this.#events = new Emitter('sync events', ports.logger);
    this.#changes = new Emitter('sync status changes', ports.logger);
    if (ports.onStatusChange) this.#changes.listen(ports.onStatusChange);
    for (const [index, engine] of engines.entries()) {
      // The first sink reports the state of the link. Every sink reports its segments.
      engine.onEvent((event) => {
        if (index === 0 || event.kind !== 'link') this.#events.emit(event);
      });
      engine.onStatusChange(() => {
        void this.#tellRetention();
        void this.#tellRecorder();
        this.#changes.emit();
      });
    }
  }

  /** Takes the role `sync` on the data folder. Throws `CONFIG_INVALID`, `DATA_FOLDER_BUSY`. */
  static async open(ports: GroupPorts): Promise<SyncGroup> {
    const options = parseSyncOptions(ports.options);
    const folder = dataFolder(ports.dataFolder);
    const { sinks, ...common } = ports;
    const lock = new SharedLock(ports);
    const shared: SharedByEngines = {
      several: sinks.length > 1,
      files: new SerialQueue(),
      encryption: new SerialQueue(),
      bandwidth: new BandwidthLimit(ports.clock, options.bandwidthBytesPerS),
      tombstones: sharedTombstones(sinks.map(({ spec }) => spec)),
      places: new Places(),
    };
    const engines: SyncEngine[] = [];
    try {
      for (const [index, { spec, store }] of sinks.entries()) {
        const stateFolder = index === 0 ? undefined : stateFolderOf(folder, spec, store);
        const { onStatusChange: _group, ...one } = common;
        engines.push(
          await SyncEngine.open({
            ...one,
            store,
            sink: spec,
            shared,
            acquireLock: () => lock.take(folder),
            ...defined({ stateFolder }),
          }),
        );
      }
    } catch (error) {
      for (const engine of engines) await engine.close();
      await lock.close();
      throw error;
    }
    const group = new SyncGroup(ports, engines as [SyncEngine, ...SyncEngine[]], shared, lock, options);
    // Before anything is verified: local copies now also wait for a new sink.
    await group.#tellRetention();
    await group.#tellRecorder();
    return group;
  }

  /** Works until the signal aborts. Rejects, after all have ended, if one of them has a permanent fault. */
  async run(signal: AbortSignal): Promise<void> {
    const ends = await Promise.allSettled(this.#engines.map((engine) => engine.run(signal)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /**
   * Works until every required sink has everything, or the signal aborts. It waits for a sink that is not
   * required while its link is alive, but not while it is dead.
   */
  async drain(signal: AbortSignal): Promise<GroupSummary> {
    const hasRequired = this.#engines.some(({ sink }) => sink.required);
    const counts = (engine: SyncEngine): boolean => engine.sink.required || !hasRequired;
    let isDone = false;
    const patience = new Map(this.#engines.map((engine) => [engine, new AbortController()]));
    const giveUpOnDead = (): void => {
      if (!isDone) return;
      for (const engine of this.#engines) {
        if (!counts(engine) && engine.status().link !== 'online') patience.get(engine)?.abort();
      }
    };
    const drainOne = (engine: SyncEngine): Promise<SyncSummary> =>
      engine.drain(AbortSignal.any([signal, present(patience.get(engine)).signal]));
    const unlisten = this.#changes.listen(giveUpOnDead);
    const drains = new Map(this.#engines.map((engine) => [engine, drainOne(engine)]));
    for (const drain of drains.values()) drain.catch(() => undefined);
    await Promise.allSettled(this.#engines.filter(counts).map((engine) => present(drains.get(engine))));
    isDone = true;
    giveUpOnDead();
    const ends = await Promise.allSettled(drains.values());
    unlisten();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const summaries = new Map<SyncEngine, SyncSummary>();
    for (const [engine, drain] of drains) summaries.set(engine, await drain);
    const counted = this.#engines.filter(counts).map((engine) => present(summaries.get(engine)));
    return this.#summarize(summaries, counted);
  }

  /** Scans and tries now, in all sinks. */
  syncNow(): void {
    for (const engine of this.#engines) engine.syncNow();
  }

  /** See {@link SyncEngine.reconfigure}; all sinks, or none. */
  reconfigure(given: Partial<SyncOptions>): readonly (keyof SyncOptions)[] {
    const [changed] = this.#engines.map((engine) => engine.reconfigure(given));
    this.#options = { ...this.#options, ...given };
    void this.#tellRecorder();
    return changed ?? [];
  }

  /** See {@link SyncEngine.retryParked}. */
  retryParked(code: string): void {
    for (const engine of this.#engines) engine.retryParked(code);
  }

  /** The rules of `sync.transform` have changed: the recorder learns it, and segments that they parked are tried again. */
  transformChanged(): void {
    void this.#tellRecorder();
    this.retryParked('TRANSFORM_FAILED');
  }

  get onEvent(): Listen<SyncEvent> {
    return this.#events.listen;
  }

  get onStatusChange(): Listen<void> {
    return this.#changes.listen;
  }

  /** See {@link SyncEngine.putFirst}. */
  putFirst(names: Iterable<string>): void {
    const all = [...names];
    for (const engine of this.#engines) engine.putFirst(all);
  }

  /** See {@link SyncEngine.request}. */
  request(names: Iterable<string>): void {
    const all = [...names];
    for (const engine of this.#engines) engine.request(all);
  }

  status(): SyncStatus {
    const statuses = this.#engines.map((engine): EngineStatus => ({
      sink: engine.sink,
      status: engine.status(),
    }));
    return aggregateStatus(statuses as [EngineStatus, ...EngineStatus[]]);
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()));
    // The list is being written at this moment.
    await this.#shared.files.run(() => Promise.resolve());
    await this.#lock.close();
  }

  #required(): RequiredSink[] {
    return this.#engines
      .map((engine) => ({ spec: engine.sink, status: engine.status() }))
      .filter(({ spec }) => spec.required)
      .map(({ spec, status }) => ({
        uri: status.store,
        ...defined({ storeId: status.storeId }),
        form: spec.form,
        selection: spec.selection,
      }));
  }

  /** Never rejects: a failed write is tried again with a later change. */
  async #tellRetention(): Promise<void> {
    const { fs, clock, logger } = this.#ports;
    const required = this.#required();
    const words = JSON.stringify(required);
    if (words === this.#told) return;
    const now = clock.monotonic();
    if (this.#triedAt !== undefined && now - this.#triedAt < RETRY_NS) return;
    this.#told = words;
    try {
      await this.#shared.files.run(() => writeRequiredSinks(fs, this.#path, required));
      this.#triedAt = undefined;
    } catch (error) {
      this.#told = '';
      this.#triedAt = now;
      logger.warn('cannot write the list of required sinks; the earlier list applies until it works', {
        error: describeError(error),
      });
    }
  }

  /** Does nothing if the recorder can know it. */
  #tellRecorder(): Promise<void> {
    const sinks = this.#engines.map(({ sink }) => sink);
    return this.#policy.tell(sinks, this.#options);
  }

  #summarize(summaries: ReadonlyMap<SyncEngine, SyncSummary>, counted: readonly SyncSummary[]): GroupSummary {
    const all = [...summaries.values()];
    const total = (value: (summary: SyncSummary) => number): number =>
      all.reduce((sum, summary) => sum + value(summary), 0);
    const { segments, bytes, alarms, lastError } = this.status();
    const { segments: parkedOf } = counted.reduce((a, b) => (b.segments.parked > a.segments.parked ? b : a));
    const parkedBytes = Math.max(...counted.map((summary) => summary.bytes.parked));
    const first = present(summaries.get(this.#engines[0]));
    return {
      complete: counted.every(({ complete }) => complete),
      segments: { ...segments, parked: parkedOf.parked },
      bytes: { verified: bytes.verified, pending: bytes.pending, parked: parkedBytes },
      verifiedNow: first.verifiedNow,
      tombstonesWaiting: Math.max(...counted.map(({ tombstonesWaiting }) => tombstonesWaiting)),
      sentBytes: total(({ sentBytes }) => sentBytes),
      resentBytes: total(({ resentBytes }) => resentBytes),
      resumedUploads: total(({ resumedUploads }) => resumedUploads),
      retries: total(({ retries }) => retries),
      uploadErrors: total(({ uploadErrors }) => uploadErrors),
      unwrittenFiles: total(({ unwrittenFiles }) => unwrittenFiles),
      alarms,
      ...defined({ lastError }),
      sinks: this.#engines.map((engine) => ({ name: engine.sink.name, ...present(summaries.get(engine)) })),
    };
  }
}

/** By the sink's identity, not by its place in the list: it finds its progress in a list of another order too. */
function stateFolderOf({ sinks }: DataFolder, { kind, form }: SinkSpec, { uri }: Store): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([kind, form, uri]))
    .digest('hex');
  return join(sinks, `${kind}-${digest.slice(0, 16)}`);
}

/**
 * A tombstone may be removed once every required sink has it; for a sink that is not required it may come too
 * late.
 */
export function sharedTombstones(sinks: readonly SinkSpec[]): SharedTombstones {
  const required = sinks.filter((sink) => sink.required);
  const names = (required.length > 0 ? required : sinks).map(({ name }) => name);
  const told = new Map<string, Set<string>>();
  return {
    told(tombstone, sink) {
      let by = told.get(tombstone);
      if (!by) told.set(tombstone, (by = new Set()));
      by.add(sink);
      const mayGo = names.every((name) => by.has(name));
      if (mayGo) told.delete(tombstone);
      return mayGo;
    },
  };
}
