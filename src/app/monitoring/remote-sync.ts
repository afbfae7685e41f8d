import type { MonitoredSync } from '../../core/monitoring.js';
import type { SyncStatus } from '../../core/status.js';
import { askRole } from '../control/control-client.js';

const ANSWER_WITHIN_MS = 2_000;

/** Sync of a data folder, asked over its control socket. */
export function remoteSync(data: string): MonitoredSync {
  return {
    status: async () =>
      (await askRole(data, 'sync', 'status', { timeoutMs: ANSWER_WITHIN_MS })) as SyncStatus,
    syncNow: async () => {
      await askRole(data, 'sync', 'sync_now');
    },
  };
}
