import { silentLogger } from '../../src/core/logger.js';
import { OperationalLog } from '../../src/monitors/log/operational-log.js';

/** A log of which only the last lines are kept. */
export function silentLog(): OperationalLog {
  return new OperationalLog({ level: 'info', role: 'recorder', terminal: silentLogger, nowMs: () => 0 });
}
