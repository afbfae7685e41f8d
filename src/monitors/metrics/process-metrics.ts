import type { Known } from './known.js';
import { one, type Metric, type Sample } from './metric.js';

const MB = 1e6;

/** What the uplinks of a recorder sent, and what the same samples would take. */
const uplinkForms = { sent: 'telemetryBytes', protobuf: 'fullBytes', json: 'jsonBytes' } as const;

/** Of all robots of the recorder; absent without an uplink. */
function uplinkBytes({ status }: Known): readonly Sample[] {
  const report = status.services['uplink'] as
    { readonly robots: readonly Readonly<Record<string, unknown>>[] } | undefined;
  if (report === undefined) return [];
  return Object.entries(uplinkForms).map(([form, name]) => ({
    labels: { form },
    value: report.robots.reduce((sum, robot) => sum + Number(robot[name] ?? 0), 0),
  }));
}

function service(known: Known, name: string, field: string): number | undefined {
  const report = known.status.services[name] as Readonly<Record<string, unknown>> | undefined;
  const value = report?.[field];
  return typeof value === 'number' ? value : undefined;
}

/** Metrics of alerts, clients, the log, and the process. */
export const processMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_alert_raised',
    help: '1 while the alert is raised.',
    type: 'gauge',
    samples: ({ status }) =>
      status.alerts.map(({ id, severity, raised }) => ({
        labels: { alert: id, severity },
        value: raised ? 1 : 0,
      })),
  },
  {
    name: 'holdfast_web_clients',
    help: 'Pages that watch.',
    type: 'gauge',
    samples: ({ clients }) => one(clients.web),
  },
  {
    name: 'holdfast_web_refused_requests_total',
    help: 'Requests and connections the web server refused.',
    type: 'counter',
    samples: (known) => one(service(known, 'web', 'refused')),
  },
  {
    name: 'holdfast_foxglove_clients',
    help: 'Connected Foxglove clients.',
    type: 'gauge',
    samples: ({ clients }) => one(clients.foxglove),
  },
  {
    name: 'holdfast_foxglove_skipped_messages_total',
    help: 'Messages slow Foxglove clients did not get; the recording has them.',
    type: 'counter',
    samples: (known) => one(service(known, 'foxglove', 'skipped')),
  },
  {
    name: 'holdfast_uplink_bytes_total',
    help: 'Bytes of live telemetry: sent, and the same samples in full as Protocol Buffers and as JSON.',
    type: 'counter',
    samples: uplinkBytes,
  },
  {
    name: 'holdfast_log_dropped_lines_total',
    help: 'Log lines there was no room for.',
    type: 'counter',
    samples: ({ status }) => one(status.log.droppedLines),
  },
  {
    name: 'process_cpu_seconds_total',
    help: 'CPU the recorder has used.',
    type: 'counter',
    samples: ({ cpuSeconds }) => one(cpuSeconds),
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the recorder.',
    type: 'gauge',
    samples: ({ status }) => one(Math.round(status.system.memoryMb * MB)),
  },
  {
    name: 'process_start_time_seconds',
    help: 'When the recorder process started, seconds since the Unix epoch.',
    type: 'gauge',
    samples: ({ status }) => one(Math.round(status.atMs / 1_000) - status.system.uptimeS),
  },
];
