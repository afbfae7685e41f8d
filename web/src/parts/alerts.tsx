import { serverNow, status } from '../model/live.js';
import { bytes, coarse, count, duration } from '../model/format.js';
import { useStore } from '../model/store.js';
import { Icon } from '../ui/icon.js';

/** The raised alerts; renders nothing without alerts. */
export function Alerts() {
  const raised = (useStore(status)?.alerts ?? [])
    .filter((alert) => alert.raised)
    .sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'));
  return (
    <section class="alerts" aria-label="Alerts" hidden={raised.length === 0}>
      <ul role="list" aria-live="polite">
        {raised.map(({ id, severity, summary, sinceMs, value, limit, unit }) => (
          <li key={id} class={`alert alert-${severity}`} data-alert={id}>
            <Icon name={severity === 'critical' ? 'cross' : 'warning'} />
            <span class="alert-text">
              <strong>{severity === 'critical' ? 'Critical' : 'Warning'}:</strong> {summary}
              <span class="alert-detail">
                {value === undefined ? '' : ` ${measured(value, unit)}${bound(limit, unit)}`}
                {sinceMs === undefined ? '' : `, for ${coarse(serverNow() - sinceMs)}`}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function measured(value: number, unit: string): string {
  if (unit === 'ms') return duration(value);
  if (unit === 'bytes') return bytes(value);
  if (unit === 'yes/no') return '';
  return `${count(value)} ${value === 1 ? unit.replace(/s$/, '') : unit}`;
}

function bound(limit: number, unit: string): string {
  return limit === 0 || unit === 'yes/no' ? '' : ` (limit ${measured(limit, unit)})`;
}
