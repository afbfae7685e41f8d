import { ServiceNotify } from '../../host/service-notify.js';
import { askRole } from '../control/control-client.js';
import type { Invocation } from './command-definition.js';

/** The same bound as for a person who asks for the status. */
const ANSWER_MS = 5_000;

/**
 * Tells systemd, if it started this process, that the service is ready. From then on it serves the watchdog only while
 * the process of that role answers. A process below `holdfast up` says nothing: `up` speaks for both.
 */
export function announceReady(
  { supervised }: Invocation,
  data: string,
  role: 'recorder' | 'sync',
): Disposable {
  return new ServiceNotify({
    env: supervised ? {} : process.env,
    pid: process.pid,
    isAlive: () =>
      askRole(data, role, 'status', { timeoutMs: ANSWER_MS }).then(
        () => true,
        () => false,
      ),
  });
}
