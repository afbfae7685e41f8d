import { describeError } from '../../core/errors.js';
import type { SyncEvent } from '../../core/events.js';
import { latchedQos, type Qos } from '../../core/ros/qos.js';
import type { SyncStatus } from '../../core/status.js';
import { exitCodes } from '../../host/exit-code.js';
import { changeTransform } from '../setup/change-transform.js';
import { prepareSync } from '../setup/prepare-sync.js';
import { listenForControl } from '../control/control-server.js';
import { openSync } from '../setup/open-sync.js';
import { compileSyncSettings } from '../../settings/sync-settings.js';
import { diagnosticFields } from './diagnostic.js';
import { syncDiagnostics } from './sync-diagnostics.js';
import type { MessageType } from './message-type.js';
import { NodePublisher } from './node-publisher.js';
import type { RunningNode } from './node-process.js';
import { Pace } from './pace.js';
import { robotOfNamespace } from './robot-name.js';
import { rosMessages } from './ros-messages.js';
import { resolvedValues } from './start-values.js';
import { linkChangedFields, segmentSyncedFields, syncStatusFields } from './status-fields.js';

/** Minimum time between two messages of one status topic. */
const STATUS_MIN_MS = 100;
const STATUS_MAX_MS = 1_000;

/** Runs sync as a node until the signal aborts. */
export async function runSyncNode(node: RunningNode): Promise<number> {
  const { start, ports, logger, services, signal } = node;
  const given = new Set(start.given);
  await using setup = await prepareSync(resolvedValues('sync', start.initial, given), ports);
  const { settings, sinks } = setup;
  const end = new AbortController();
  await using engine = await openSync(setup, ports, (data, group) => {
    const handlers = {
      status: () => group.status(),
      sync_now: () => group.syncNow(),
      set_transform: ({ rules }: { readonly rules: readonly string[] }) =>
        changeTransform(rules, setup, group),
      end: () => end.abort(new Error('ended by a control request')),
    };
    return listenForControl(data, 'sync', handlers, logger);
  });
  services.trigger('~/sync_now', () => {
    engine.syncNow();
    return 'looking for sealed segments and trying the store now';
  });
  node.serveParameters((changes, all) => {
    const names = new Set([...given, ...changes.keys()]);
    if (changes.has('sync.transform')) changeTransform(changes.get('sync.transform'), setup, engine);
    engine.reconfigure(compileSyncSettings(resolvedValues('sync', all, names)).options);
    for (const name of changes.keys()) given.add(name);
  });
  using topics = new SyncTopics(node, () => engine.status());
  engine.onStatusChange(() => topics.changed());
  engine.onEvent((event) => topics.tell(event));
  logger.info('syncing', { data: settings.data, store: sinks.map(({ store }) => store.uri).join(', ') });
  const until = AbortSignal.any([signal, end.signal]);
  await engine.run(until);
  logger.info('ending: the next run resumes the unfinished uploads', { reason: describeError(until.reason) });
  topics.publish();
  return exitCodes.ok;
}

/** The topics of the node about sync. */
class SyncTopics implements Disposable {
  readonly #status: NodePublisher;
  readonly #synced: NodePublisher;
  readonly #link: NodePublisher;
  readonly #diagnostics: NodePublisher;
  readonly #paces: readonly Pace[];

  readonly #node: RunningNode;
  readonly #read: () => SyncStatus | undefined;

  constructor(node: RunningNode, status: () => SyncStatus | undefined) {
    this.#node = node;
    this.#read = status;
    const { session, logger } = node;
    const create = (type: MessageType, topic: string, qos?: Qos): NodePublisher =>
      NodePublisher.create(session, type, topic, logger, qos);
    this.#status = create(rosMessages.syncStatus, '~/sync_status', latchedQos);
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
    const now = this.#node.ports.clock.now();
    if (event.kind === 'segment-synced') this.#synced.publish(segmentSyncedFields(event, now));
    else if (event.kind === 'link') this.#link.publish(linkChangedFields(event, now));
  }

  publish(): void {
    const status = this.#read();
    if (status) this.#status.publish(syncStatusFields(status, this.#node.ports.clock.now()));
  }

  #diagnose(): void {
    const { fullName, ports, session } = this.#node;
    const status = this.#read();
    if (!status) return;
    const now = ports.clock.now();
    const robot = robotOfNamespace(session.node.namespace()) ?? ports.hostname;
    this.#diagnostics.publish(diagnosticFields(syncDiagnostics(status, robot, now), fullName.slice(1), now));
  }

  [Symbol.dispose](): void {
    for (const pace of this.#paces) pace[Symbol.dispose]();
  }
}
