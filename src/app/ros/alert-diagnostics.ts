import type { Alert } from '../../monitors/alerts/evaluate-alerts.js';
import { levels, type Diagnostic } from './diagnostic.js';

/** The alerts as one line of a diagnostics panel: the worst of the raised ones, each named. */
export function alertDiagnostic(alerts: readonly Alert[], robot: string): Diagnostic {
  const raised = alerts.filter((alert) => alert.raised);
  const level = raised.some(({ severity }) => severity === 'critical')
    ? levels.error
    : raised.length > 0
      ? levels.warn
      : levels.ok;
  return {
    level,
    task: 'alerts',
    message: raised.length === 0 ? 'none' : raised.map(({ summary }) => summary).join('; '),
    hardwareId: robot,
    values: Object.fromEntries(
      raised.map(({ id, value, limit, unit }) => [id, `${value ?? 'unknown'} ${unit}, limit ${limit}`]),
    ),
  };
}
