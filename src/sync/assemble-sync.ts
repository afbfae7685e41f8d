import { dataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
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
import type { SyncOptions } from './sync-options.js';
import type { SyncParts } from './sync-parts.js';
import type { SyncPorts } from './sync-ports.js';
import { Tombstones } from './tombstones.js';

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

/** Wires what the loops of one engine share; nothing runs yet. */
export function assembleSync(ports: SyncPorts, options: SyncOptions, hooks: SyncHooks): SyncParts {
  const { clock, fs, random, store, logger, openProgress } = ports;
  const { lifetime, changed, trouble } = hooks;
  const folder = dataFolder(ports.dataFolder);
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
    isTableValid: hooks.isTableValid,
  };
}
