import { defined } from '../../core/defined.js';
import { Emitter } from '../../core/emitter.js';
import { describeError } from '../../core/errors.js';
import type { SyncEvent } from '../../core/events.js';
import type { Listen } from '../../core/listen.js';
import type { SyncStatus } from '../../core/status.js';
import type { NetworkSource } from '../../core/send-policy/facts.js';
import type { LinkState } from '../../core/link-state.js';
import type { SyncOptions } from '../../sync/sync-options.js';
import { SyncGroup, type GroupSummary, type Sink } from '../../sync/sync-group.js';
import type { SystemPorts } from '../../host/ports.js';
import { version } from '../../host/version.js';

export interface SyncFoldersPorts extends Pick<SystemPorts, 'fs' | 'clock' | 'random' | 'logger'> {
  /** Data folders; the process reports the status of the first. */
  readonly folders: readonly [string, ...string[]];
  readonly sinks: readonly [Sink, ...Sink[]];
  readonly options: Partial<SyncOptions>;
  /** Sealed names of the segments to send; default: all. */
  readonly only?: ReadonlySet<string>;
  /** For the conditions of `sync.when`. */
  readonly network: NetworkSource;
  /** Called when a folder is served: lets clients query its status. */
  readonly listen: (folder: string, group: SyncGroup) => Promise<AsyncDisposable>;
}

/** Delay before a data folder that cannot be served now is tried again. */
const RETRY_MS = 5_000;

interface Served {
  readonly folder: string;
  group?: SyncGroup;
  ear?: AsyncDisposable;
  /** Why it is not served now. */
  trouble?: string;
}

/** How a drain of all data folders ended. */
export interface FoldersSummary {
  readonly complete: boolean;
  readonly folders: readonly (Partial<GroupSummary> & { readonly data: string; readonly error?: string })[];
}

/**
 * One sync process for one or several data folders: a group of engines and a lock for each. With several
 * folders, one that another process holds or that cannot be used is tried again and does not stop the others.
 * With one folder, that ends the process, and its caller decides what to do.
 */
export class SyncFolders implements AsyncDisposable {
  readonly #ports: SyncFoldersPorts;
  readonly #served: readonly Served[];
  readonly #events: Emitter<SyncEvent>;
  readonly #changes: Emitter<void>;
  #options: Partial<SyncOptions>;

  private constructor(ports: SyncFoldersPorts) {
    this.#ports = ports;
    this.#options = ports.options;
    this.#served = ports.folders.map((folder) => ({ folder }));
    this.#events = new Emitter('sync events', ports.logger);
    this.#changes = new Emitter('sync status changes', ports.logger);
  }

  /** If there is one folder, throws the errors of {@link SyncGroup.open}. */
  static async open(ports: SyncFoldersPorts): Promise<SyncFolders> {
    const all = new SyncFolders(ports);
    try {
      for (const served of all.#served) {
        if (all.isAlone) await all.#open(served);
        else await all.#tryOpen(served);
      }
      return all;
    } catch (error) {
      await all[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isAlone(): boolean {
    return this.#served.length === 1;
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#served.map((served) => this.#runOne(served, signal)));
  }

  /** Works until everything sealed in all folders is where it must be; a folder that cannot be served is not. */
  async drain(signal: AbortSignal): Promise<FoldersSummary> {
    const folders = await Promise.all(
      this.#served.map(async (served) => {
        const { folder: data } = served;
        if (!served.group) await this.#tryOpen(served);
        try {
          const summary = await served.group?.drain(signal);
          return summary ? { data, ...summary } : { data, error: served.trouble ?? 'not served' };
        } catch (error) {
          if (this.isAlone) throw error;
          return { data, error: describeError(error) };
        }
      }),
    );
    return { complete: folders.every((one) => 'complete' in one && one.complete), folders };
  }

  syncNow(): void {
    for (const { group } of this.#served) group?.syncNow();
  }

  /** See {@link SyncGroup.reconfigure}; folders served later get it too. */
  reconfigure(given: Partial<SyncOptions>): void {
    for (const { group } of this.#served) group?.reconfigure(given);
    this.#options = { ...this.#options, ...given };
  }

  /** See {@link SyncGroup.transformChanged}, in all folders that are served now. */
  transformChanged(): void {
    for (const { group } of this.#served) group?.transformChanged();
  }

  get onEvent(): Listen<SyncEvent> {
    return this.#events.listen;
  }

  get onStatusChange(): Listen<void> {
    return this.#changes.listen;
  }

  /** Of all folders that are served now, together. */
  status(): SyncStatus | undefined {
    const statuses = this.#served.map(({ group }) => group?.status()).filter((one) => one !== undefined);
    const [first, ...others] = statuses;
    return first === undefined || others.length === 0 ? first : together([first, ...others]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const served of this.#served) await this.#release(served);
    this.#ports.network.close?.();
  }

  async #runOne(served: Served, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!served.group) await this.#tryOpen(served);
      try {
        // It ends by itself only if a drain took over.
        if (served.group) {
          await served.group.run(signal);
          return;
        }
      } catch (error) {
        if (this.isAlone) throw error;
        this.#note(served, error);
        await this.#release(served);
      }
      await this.#ports.clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  async #tryOpen(served: Served): Promise<void> {
    try {
      await this.#open(served);
    } catch (error) {
      this.#note(served, error);
      await this.#release(served);
    }
  }

  async #open(served: Served): Promise<void> {
    const { fs, clock, random, logger, network, sinks, only, listen } = this.#ports;
    const group = await SyncGroup.open({
      dataFolder: served.folder,
      sinks,
      fs,
      clock,
      random,
      logger,
      network,
      version,
      pid: process.pid,
      options: this.#options,
      ...defined({ only }),
    });
    served.group = group;
    served.ear = await listen(served.folder, group);
    group.onEvent((event) => this.#events.emit(event));
    group.onStatusChange(() => this.#changes.emit());
    if (served.trouble !== undefined)
      logger.info('the data folder is available again', { data: served.folder });
    delete served.trouble;
  }

  async #release(served: Served): Promise<void> {
    const { group, ear } = served;
    delete served.group;
    delete served.ear;
    await ear?.[Symbol.asyncDispose]();
    await group?.close();
  }

  #note(served: Served, error: unknown): void {
    const trouble = describeError(error);
    if (trouble !== served.trouble) {
      this.#ports.logger.warn('a data folder is unavailable now; sync continues with the others', {
        data: served.folder,
        error: trouble,
      });
    }
    served.trouble = trouble;
  }
}

const worst: readonly LinkState[] = ['offline', 'unknown', 'online'];

/** Sums over folders; other members are those of the first folder. */
function together(statuses: readonly [SyncStatus, ...SyncStatus[]]): SyncStatus {
  const sum = (value: (status: SyncStatus) => number): number =>
    statuses.reduce((total, status) => total + value(status), 0);
  const [first] = statuses;
  const link = worst.find((state) => statuses.some((status) => status.link === state)) ?? first.link;
  const speaker = statuses.find((status) => status.link === link) ?? first;
  return {
    ...first,
    isSyncing: statuses.some(({ isSyncing }) => isSyncing),
    link,
    linkSince: speaker.linkSince,
    segmentsSynced: sum(({ segmentsSynced = 0 }) => segmentsSynced),
    segments: {
      pending: sum(({ segments }) => segments.pending),
      verified: sum(({ segments }) => segments.verified),
      parked: sum(({ segments }) => segments.parked),
      lost: sum(({ segments }) => segments.lost ?? 0),
      retrying: sum(({ segments }) => segments.retrying ?? 0),
      held: sum(({ segments }) => segments.held ?? 0),
    },
    bytes: {
      pending: sum(({ bytes }) => bytes.pending),
      verified: sum(({ bytes }) => bytes.verified),
      resent: sum(({ bytes }) => bytes.resent),
      held: sum(({ bytes }) => bytes.held ?? 0),
    },
    transferBytesPerS: sum(({ transferBytesPerS }) => transferBytesPerS),
    alarms: statuses.flatMap(({ alarms }) => alarms),
  };
}
