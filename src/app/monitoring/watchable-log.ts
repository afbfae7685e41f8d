import type { Logger } from '../../core/logger.js';
import type { MonitoredLog } from '../../core/monitoring.js';

/** The logger as a log that can be watched, if it is one. */
export function watchable(logger: Logger): { readonly log?: MonitoredLog } {
  return 'recent' in logger && 'stats' in logger ? { log: logger as Logger & MonitoredLog } : {};
}
