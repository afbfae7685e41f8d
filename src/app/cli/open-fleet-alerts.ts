import { HoldfastError } from '../../core/errors.js';
import type { Database } from '../../ground/database/database.js';
import type { FleetView } from '../../ground/fleet-view.js';
import type { Fleet } from '../../ground/fleet.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import type { BacklogLimits } from '../../ground/backlog-trend.js';
import type { Webhook } from '../../monitors/alerts/webhook.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import { parseBytes, parseDurationMs } from '../../settings/units.js';
import type { Invocation } from './command-definition.js';

const MIN_WINDOW_MS = 60_000;
const MAX_WINDOW_MS = 86_400_000;

interface WatchedFleet {
  readonly fleet: Fleet;
  readonly view: FleetView;
  readonly registry: RobotRegistry;
  readonly isFirst: () => boolean;
  /** Undefined: a restart forgets everything. */
  readonly database: Database | undefined;
}

/** Gives the fleet the robots of an earlier run, and keeps them. */
async function rememberFleet(
  { database, fleet, view, registry }: WatchedFleet,
  { ports: { clock }, logger }: Invocation,
): Promise<AsyncDisposable | undefined> {
  if (database === undefined) return undefined;
  const { FleetMemory } = await import('../../ground/fleet-memory.js');
  const { FleetTable } = await import('../../ground/fleet-table.js');
  return FleetMemory.open({ fleet, view, registry, table: new FleetTable(database), clock, logger });
}

/**
 * Takes the robots and alerts of an earlier run, watches the robots, and posts alerts to `--alerts-webhook`. Throws
 * `REQUEST_INVALID` and `CONFIG_INVALID`.
 */
export async function watchFleet(watched: WatchedFleet, invocation: Invocation): Promise<AsyncDisposable> {
  const { view, isFirst: isTeller, database } = watched;
  const { ports, logger } = invocation;
  const { clock, hostname } = ports;
  const { AlertTable } = await import('../../ground/alert-table.js');
  const { AlertTeller } = await import('../../ground/alert-teller.js');
  const { FleetAlerts, fleetRules } = await import('../../ground/fleet-alerts.js');
  const table = database === undefined ? undefined : new AlertTable(database);
  const backlog = backlogLimits(invocation.options);
  const webhook = await openWebhook(invocation);
  const memory = await rememberFleet(watched, invocation);
  const rules = fleetRules(backlog);
  const vinOf = (robot: string): string => view.rows().find((one) => one.robot === robot)?.vin ?? '';
  const teller = await AlertTeller.open({ table, webhook, rules, hostname, vinOf, isTeller, clock, logger });
  const alerts = new FleetAlerts(
    () => view.rows(),
    (robot, alert) => teller.note(robot, alert),
    { clock, logger, backlog },
    teller.kept,
  );
  return {
    async [Symbol.asyncDispose]() {
      alerts[Symbol.dispose]();
      await webhook?.[Symbol.asyncDispose]();
      await teller[Symbol.asyncDispose]();
      await memory?.[Symbol.asyncDispose]();
    },
  };
}

/** When a backlog counts as growing. Throws `CONFIG_INVALID`. */
function backlogLimits(options: Invocation['options']): BacklogLimits {
  const [window, growth] = [String(options['backlogWindow']), String(options['backlogGrowth'])];
  const [windowMs, growthBytes] = [parseDurationMs(window), parseBytes(growth)];
  const faults: ConfigFault[] = [];
  const fault = (option: string, value: string, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
  };
  if (windowMs === undefined || windowMs < MIN_WINDOW_MS || windowMs > MAX_WINDOW_MS)
    fault('backlog-window', window, 'a time from 1min to 24h, such as 10min');
  if (growthBytes === undefined || growthBytes < 1) fault('backlog-growth', growth, 'a size such as 32MiB');
  if (windowMs === undefined || growthBytes === undefined || faults.length > 0) throw configInvalid(faults);
  return { windowMs, growthBytes };
}

/** Absent without an address. Throws `REQUEST_INVALID` for one that is not allowed; no message shows it. */
async function openWebhook({ options, ports, logger }: Invocation): Promise<Webhook | undefined> {
  const url = options['alertsWebhook'];
  if (typeof url !== 'string') return undefined;
  if (!/^https?:\/\/[^/]/.test(url))
    throw new HoldfastError('REQUEST_INVALID', '--alerts-webhook is no web address, allowed: http(s)://...');
  const { Webhook: Opened } = await import('../../monitors/alerts/webhook.js');
  return new Opened(url, { clock: ports.clock, logger, fetch });
}
