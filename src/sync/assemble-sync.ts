import { dataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
import { BandwidthLimit } from './bandwidth-limit.js';
import { Link } from './link.js';
import type { Backoff } from './link-state.js';
import { OpenUploads } from './open-uploads.js';
import { openLevelProgress } from './progress-database.js';
import { ProgressStore } from './progress-store.js';
import { Receipts } from './receipts.js';
import { SegmentTable } from './segment-table.js';
import { StoreCalls } from './store-calls.js';
import { StoreIdentity } from './store-identity.js';
import { SyncCounters } from './sync-counters.js';
import { soleSink, type SharedByEngines } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';
import type { SyncParts } from './sync-parts.js';
import type { SyncPorts } from './sync-ports.js';
import { Tombstones } from './tombstones.js';
import { Turns } from './turns.js';

/** How the parts reach the engine around them. */
export interface SyncHooks extends Pick<
  SyncParts,
  'lifetime' | 'changed' | 'trouble' | 'tell' | 'isTableValid'
> {
  readonly linkChanged: () => void;
  /** The store said who it is, for the first time or as another one. */
  readonly storeKnown: () => void;
}

export function backoffOf({ backoffFirstMs, backoffMaxMs, backoffJitter }: SyncOptions): Backoff {
  return { firstMs: backoffFirstMs, maxMs: backoffMaxMs, jitter: backoffJitter };
}

/** Of an engine that has the data folder for itself. */
function alone({ clock }: SyncPorts, options: SyncOptions): SharedByEngines {
  return {
    several: false,
    files: new Turns(),
    bandwidth: new BandwidthLimit(clock, options.bandwidthBytesPerS),
    tombstones: { told: () => true },
  };
}

/** Wires what the loops of one engine share; nothing runs yet. */
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
  const identity = new StoreIdentity(
    {
      fs,
      folder,
      store,
      random,
      logger,
      turns: shared.files,
      within: (ask) => calls.within('ask the store for its id', 0, lifetime, ask),
      onKnown: hooks.storeKnown,
    },
    options,
  );
  const link = new Link(
    { clock, random, logger, probe: () => identity.check(), onChange: hooks.linkChanged },
    backoffOf(options),
    options.idleProbeMs,
  );
  calls.attach(link);
  const table = new SegmentTable(options.order);
  const isUploading = (name: string): boolean => ['pending', 'active'].includes(table.get(name)?.state ?? '');
  const checkIdentity = (): Promise<void> => identity.check();
  return {
    fs,
    clock,
    random,
    logger,
    store,
    sink,
    shared,
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
    tell: hooks.tell,
    receipts: new Receipts({ fs, folder, form: sink.form, turns: shared.files, onTrouble: trouble }),
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
      sink,
      shared: shared.tombstones,
      onTrouble: trouble,
    }),
    openUploads: new OpenUploads({ store, calls, clock, logger }),
    isTableValid: hooks.isTableValid,
  };
}
