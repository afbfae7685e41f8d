import type { SyncEvent } from '../../core/events.js';
import type { SyncStatus } from '../../core/status.js';
import { SyncEngine } from '../../sync/sync-engine.js';
import { exitCodes } from '../cli/exit-code.js';
import { prepareSync, type SyncSetup } from '../cli/prepare-sync.js';
import { listenForControl } from '../control/control-server.js';
import { compileSyncSettings, type SyncSettings } from '../parameters/sync-settings.js';
import { version } from '../system/version.js';
import { diagnosticFields, syncDiagnostics } from './diagnostics.js';
import { NodePublisher } from './node-publisher.js';
import type { RunningNode } from './node-process.js';
import { Pace } from './pace.js';
import { robotOfNamespace } from './robot-name.js';
import { rosMessages } from './ros-messages.js';
import { resolvedValues } from './start-values.js';
import { linkChangedFields, segmentSyncedFields, syncStatusFields } from './status-fields.js';

/** Between two messages of one status topic. */
const STATUS_MIN_MS = 100;
const STATUS_MAX_MS = 1_000;

/** Runs sync as a node until the signal. */
export async function runSyncNode(node: RunningNode): Promise<number> {
  const { start, ports } = node;
  const given = new Set(start.given);
  const setup = await prepareSync(resolvedValues('sync', start.initial, given), ports);
  await using _store = setup.store;
  const runs = new SyncRuns(node, setup);
  node.serveParameters((changes, all) => {
    const names = new Set([...given, ...changes.keys()]);
    const settings = compileSyncSettings(resolvedValues('sync', all, names));
    for (const name of changes.keys()) given.add(name);
    runs.settings = settings;
  });
  await runs.run();
  return exitCodes.ok;
}

/**
 * Sync with the settings it has now. New settings take effect by ending the engine and opening the next one:
 * it goes on where the first one was, as after any other end.
 */
class SyncRuns {
  #settings: SyncSettings;
  #renewal = new AbortController();
  #engine: SyncEngine | undefined;
  #lastStatus: SyncStatus | undefined;

  constructor(
    private readonly node: RunningNode,
    private readonly setup: SyncSetup,
  ) {
    this.#settings = setup.settings;
  }

  set settings(settings: SyncSettings) {
    const isSame = JSON.stringify(settings.options) === JSON.stringify(this.#settings.options);
    this.#settings = settings;
    if (!isSame) this.#renewal.abort();
  }

  async run(): Promise<void> {
    const { node, setup } = this;
    const { signal, logger, services } = node;
    let engine = await this.#open();
    await using _control = await listenForControl(
      setup.settings.data,
      'sync',
      { status: () => this.#status(), sync_now: () => this.#engine?.syncNow(), end: () => this.#end.abort() },
      logger,
    );
    services.trigger('~/sync_now', () => {
      if (!this.#engine) throw new Error('sync is taking up new parameters; ask again');
      this.#engine.syncNow();
      return 'looking for sealed segments and trying the store now';
    });
    const topics = new SyncTopics(node, () => this.#status());
    using _topics = topics;
    const until = AbortSignal.any([signal, this.#end.signal]);
    logger.info('syncing', { data: setup.settings.data, store: setup.store.uri });
    for (;;) {
      engine.onStatusChange(() => topics.changed());
      engine.onEvent((event) => topics.tell(event));
      await engine.run(AbortSignal.any([until, this.#renewal.signal]));
      this.#lastStatus = engine.status();
      this.#engine = undefined;
      await engine.close();
      if (until.aborted) break;
      logger.info('new parameters: sync goes on with them');
      this.#renewal = new AbortController();
      engine = await this.#open();
    }
    topics.publish();
  }

  readonly #end = new AbortController();

  async #open(): Promise<SyncEngine> {
    const { fs, clock, random, logger } = this.node.ports;
    const engine = await SyncEngine.open({
      dataFolder: this.#settings.data,
      store: this.setup.store,
      fs,
      clock,
      random,
      logger,
      version,
      pid: process.pid,
      options: this.#settings.options,
    });
    this.#engine = engine;
    return engine;
  }

  #status(): SyncStatus {
    const status = this.#engine?.status() ?? this.#lastStatus;
    if (status === undefined) throw new Error('sync has not begun');
    return status;
  }
}

/** What the node tells about sync. */
class SyncTopics implements Disposable {
  readonly #status: NodePublisher;
  readonly #synced: NodePublisher;
  readonly #link: NodePublisher;
  readonly #diagnostics: NodePublisher;
  readonly #paces: readonly Pace[];

  constructor(
    private readonly node: RunningNode,
    private readonly status: () => SyncStatus,
  ) {
    const { session, logger } = node;
    const create = (type: (typeof rosMessages)[keyof typeof rosMessages], topic: string, latched = false) =>
      NodePublisher.create(session, type, topic, logger, { latched, ...(latched ? { depth: 1 } : {}) });
    this.#status = create(rosMessages.syncStatus, '~/sync_status', true);
    this.#synced = create(rosMessages.segmentSynced, '~/events/segment_synced');
    this.#link = create(rosMessages.linkChanged, '~/events/link_changed');
    this.#diagnostics = create(rosMessages.diagnosticArray, '/diagnostics');
    this.#paces = [
      new Pace(() => this.publish(), STATUS_MIN_MS, STATUS_MAX_MS),
      new Pace(() => this.#diagnose(), STATUS_MAX_MS, STATUS_MAX_MS),
    ];
  }

  changed(): void {
    this.#paces[0]!.poke();
  }

  tell(event: SyncEvent): void {
    const now = this.node.ports.clock.now();
    if (event.kind === 'segment-synced') this.#synced.publish(segmentSyncedFields(event, now));
    else if (event.kind === 'link') this.#link.publish(linkChangedFields(event, now));
  }

  publish(): void {
    this.#status.publish(syncStatusFields(this.status(), this.node.ports.clock.now()));
  }

  #diagnose(): void {
    const { fullName, ports, session } = this.node;
    const now = ports.clock.now();
    const robot = robotOfNamespace(session.node.namespace()) ?? ports.hostname;
    this.#diagnostics.publish(
      diagnosticFields(syncDiagnostics(this.status(), robot, now), fullName.slice(1), now),
    );
  }

  [Symbol.dispose](): void {
    for (const pace of this.#paces) pace[Symbol.dispose]();
  }
}
