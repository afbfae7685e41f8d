import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { dataFolderId } from '../host/host-identity.js';
import { describeError } from '../core/errors.js';
import { BandwidthLimit } from './bandwidth-limit.js';
import { readConditionValues } from './condition-values.js';
import { Link } from './link.js';
import type { Backoff } from './link-state.js';
import { LostSegments } from './lost-segments.js';
import { OpenUploads } from './open-uploads.js';
import { openLevelProgress } from './progress-database.js';
import { Places } from './places.js';
import { ProgressStore } from './progress-store.js';
import { Receipts } from './receipts.js';
import { SegmentEncryption } from './segment-encryption.js';
import { SegmentTable, type SegmentEntry } from './segment-table.js';
import { SendGate } from './send-gate.js';
import { SpendLedger } from './spend-ledger.js';
import { StoreCalls } from './store-calls.js';
import { StoreIdentity } from './store-identity.js';
import { StoreMemory } from './store-memory.js';
import { SyncCounters } from './sync-counters.js';
import { soleSink, type SharedByEngines } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';
import type { SyncParts } from './sync-parts.js';
import type { SyncPorts } from './sync-ports.js';
import { Tombstones } from './tombstones.js';
import { unknownNetwork, type NetworkSource } from '../core/send-policy/facts.js';
import { SerialQueue } from '../core/serial-queue.js';

/** How the parts call the engine around them. */
export interface SyncHooks extends Pick<
  SyncParts,
  'lifetime' | 'changed' | 'trouble' | 'tell' | 'isTableValid' | 'isTableWhole'
> {
  readonly linkChanged: () => void;
  /** It overlaps a marked event. */
  readonly isMarked: (entry: SegmentEntry) => boolean;
  /** The store reported its id, for the first time or a new one. */
  readonly storeKnown: () => void;
}

export function backoffOf({ backoffFirstMs, backoffMaxMs, backoffJitter }: SyncOptions): Backoff {
  return { firstMs: backoffFirstMs, maxMs: backoffMaxMs, jitter: backoffJitter };
}

/** Of an engine that has the data folder for itself. */
function alone({ clock }: SyncPorts, options: SyncOptions): SharedByEngines {
  return {
    several: false,
    files: new SerialQueue(),
    encryption: new SerialQueue(),
    bandwidth: new BandwidthLimit(clock, options.bandwidthBytesPerS),
    tombstones: { told: () => true },
    places: new Places(),
  };
}

/** Wires the parts that the loops of one engine share; nothing runs yet. */
export function assembleSync(ports: SyncPorts, options: SyncOptions, hooks: SyncHooks): SyncParts {
  const { clock, fs, random, store, logger, openProgress } = ports;
  const { lifetime, changed, trouble } = hooks;
  const whole = dataFolder(ports.dataFolder);
  const folder = ports.stateFolder === undefined ? whole : { ...whole, sync: ports.stateFolder };
  const sink = ports.sink ?? soleSink;
  const shared = ports.shared ?? alone(ports, options);
  const counters = new SyncCounters(clock);
  const calls = new StoreCalls(clock, options.callTimeoutMs, (what, error) => {
    counters.noteError(`${what}: ${describeError(error)}`);
    changed();
  });
  const openDatabase = openProgress ?? openLevelProgress;
  const progress = new ProgressStore({ fs, clock, logger, folder, openDatabase, onTrouble: trouble });
  const dataFolderId = nameOfFolder(whole.root, { fs, random });
  const known = { dataFolderId, hooks, shared, sink, folder, calls, progress };
  const identity = storeIdentity(ports, options, known);
  const memory = new StoreMemory({ fs, folder, store, clock, logger, turns: shared.files });
  const link = storeLink(ports, options, { hooks, identity, memory });
  calls.attach(link);
  const own = { fs, folder, onTrouble: trouble };
  const receipts = new Receipts({ ...own, form: sink.form, uri: store.uri, turns: shared.files });
  const table = new SegmentTable(options.order);
  const ledger = new SpendLedger({ ...own, sink: { form: sink.form, uri: store.uri }, turns: shared.files });
  const isUploading = (name: string): boolean => ['pending', 'active'].includes(table.get(name)?.state ?? '');
  const openUploads = new OpenUploads({ store, calls, clock, logger });
  const parts: Omit<SyncParts, 'gate'> = {
    ...{ fs, clock, random, logger, store, sink },
    shared,
    folder,
    dataFolderId,
    only: ports.only,
    requested: new Set(),
    options,
    counters,
    calls,
    link,
    identity,
    memory,
    table,
    lifetime,
    changed,
    trouble,
    tell: hooks.tell,
    receipts,
    progress,
    tombstones: new Tombstones({
      fs,
      folder,
      store,
      logger,
      calls,
      checkIdentity: () => identity.check(),
      isUploading,
      sink,
      shared: shared.tombstones,
      onTrouble: trouble,
      onKey: (key) => openUploads.addKey(key),
    }),
    lost: new LostSegments({
      ...{ fs, folder, uri: store.uri, form: sink.form, turns: shared.files, onTrouble: trouble },
    }),
    ...{ encryption: encryptionFor(ports, sink, folder, shared), ledger },
    openUploads,
    isTableValid: hooks.isTableValid,
    isTableWhole: hooks.isTableWhole,
  };
  return Object.assign(parts, { gate: sendGate(ports, hooks, parts) });
}

function sendGate(ports: SyncPorts, { isMarked }: SyncHooks, parts: Omit<SyncParts, 'gate'>): SendGate {
  const { clock, logger, sink, ledger, changed, only, requested } = parts;
  return new SendGate({
    ...{ clock, logger, sink, ledger, changed, isMarked },
    // The engine replaces them when they change.
    options: () => parts.options,
    network: ports.network ?? blind,
    topicValues: () => readConditionValues(ports.fs, ports.dataFolder),
    isRequested: ({ name }) => requested.has(name) || only?.has(name) === true,
  });
}

const blind: NetworkSource = {
  read: () => Promise.resolve(unknownNetwork('nothing asks for the network here')),
};

function encryptionFor(
  { fs, random }: SyncPorts,
  { recipients = [], deriver }: SyncParts['sink'],
  folder: DataFolder,
  shared: SharedByEngines,
): SegmentEncryption | undefined {
  if (recipients.length === 0 || deriver) return undefined;
  return new SegmentEncryption({ fs, random, folder, recipients, turns: shared.encryption });
}

interface LinkParts {
  readonly hooks: SyncHooks;
  readonly identity: StoreIdentity;
  readonly memory: StoreMemory;
}

/** The store is there if it is the one that this data folder knows. */
function storeLink(ports: SyncPorts, options: SyncOptions, { hooks, identity, memory }: LinkParts): Link {
  const { clock, random, logger } = ports;
  const probe = async (): Promise<void> => {
    await identity.check();
    await memory.recall(identity.storeId);
  };
  const linkPorts = { clock, random, logger, probe, onChange: hooks.linkChanged };
  return new Link(linkPorts, backoffOf(options), options.idleProbeMs);
}

interface IdentityParts {
  readonly hooks: SyncHooks;
  readonly shared: SharedByEngines;
  readonly sink: SyncParts['sink'];
  readonly folder: DataFolder;
  readonly dataFolderId: () => Promise<string>;
  readonly calls: StoreCalls;
  readonly progress: ProgressStore;
}

function storeIdentity(ports: SyncPorts, options: SyncOptions, parts: IdentityParts): StoreIdentity {
  const { fs, random, store, logger } = ports;
  const { hooks, shared, sink, folder, dataFolderId, calls, progress } = parts;
  return new StoreIdentity(
    {
      fs,
      folder,
      store,
      random,
      logger,
      turns: shared.files,
      sink,
      places: shared.places,
      dataFolderId,
      within: (ask) => calls.within('ask the store for its id', 0, hooks.lifetime, ask),
      onKnown: hooks.storeKnown,
      onDoubt: async (storeId) => {
        const segments = await progress.doubtVerified(storeId);
        if (segments > 0) hooks.storeKnown();
        return segments;
      },
    },
    options,
  );
}

/** The data folder's id; its path if it has no id and the disk accepts none now. Constant while sync runs. */
function nameOfFolder(root: string, ports: Pick<SyncPorts, 'fs' | 'random'>): () => Promise<string> {
  let name: Promise<string> | undefined;
  return () => (name ??= dataFolderId(root, ports).catch(() => root));
}
