import type { MonitoredLog, MonitoredRecorder } from '../../core/monitoring.js';
import type { Watch } from '../live/watch.js';
import { RouteReply, type Route } from './route.js';
import { flag, list, object, ref, said, text, whole } from './schemas.js';

export { recorderApi } from './schemas.js';

export interface ReadRouteParts {
  readonly watch: Watch;
  readonly recorder: MonitoredRecorder;
  readonly log: MonitoredLog;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly clients: () => { readonly web: number; readonly foxglove: number };
}

const SEGMENTS_MAX = 5_000;

/** What can be looked at. */
export function readRoutes(parts: ReadRouteParts): readonly Route[] {
  return [...stateRoutes(parts), ...recordingRoutes(parts), ...logRoutes(parts)];
}

/** The minimum role of all of them. */
const role = 'viewer';

function stateRoutes({ watch, recorder, clients }: ReadRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/healthz', role, open: true },
      summary: 'Whether the process answers',
      answer: ref('Ok'),
      handle: () => ({ ok: true }),
    },
    {
      ...{ method: 'GET', path: '/readyz', role, open: true },
      summary: 'Whether it records and can commit',
      answer: object({ ready: flag, state: said(text, 'phase and state, `active recording` when ready') }),
      also: { '503': 'not ready' },
      handle: () => {
        const { state } = recorder.status();
        const ready = recorder.phase === 'active' && (state === 'recording' || state === 'paused');
        return new RouteReply(ready ? 200 : 503, { ready, state: `${recorder.phase} ${state}` });
      },
    },
    {
      ...{ method: 'GET', path: '/status', role },
      summary: 'Everything at this moment: recorder, sync, system, alerts, log',
      answer: ref('Status'),
      handle: () => watch.status(),
    },
    {
      ...{ method: 'GET', path: '/system-resources', role },
      summary: 'Memory, CPU, queues and their limits, the log',
      answer: ref('Resources'),
      handle: () => {
        const { recorder: status, system, log: stats } = watch.status();
        return {
          memory_mb: system.memoryMb,
          cpu_percent: system.cpuPercent,
          queue_bytes: status.queue.bytes,
          queue_max_bytes: status.queue.maxBytes,
          queue_messages: status.queue.messages,
          wal_waiting_segments: status.wal.waiting,
          logging: {
            queue_size: stats.queuedLines,
            queue_maxsize: stats.queueMaxLines,
            log_file: stats.file ?? null,
            listener_running: stats.listenerRunning,
          },
          log_file: stats.file ?? null,
          log_queue_bytes: stats.queuedBytes,
          log_queue_max_bytes: stats.queueMaxBytes,
          log_dropped_lines: stats.droppedLines,
          listener_running: stats.listenerRunning,
          web_clients: clients().web,
          foxglove_clients: clients().foxglove,
        };
      },
    },
  ];
}

function recordingRoutes({ watch, recorder }: ReadRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/segments', role },
      summary: 'The timeline: open, sealed, uploaded, evicted, quarantined segments, with their gaps',
      query: {
        type: 'object',
        properties: {
          robot: said(text, 'only segments of this robot and those of all'),
          limit: { type: 'integer', minimum: 1, maximum: SEGMENTS_MAX, description: 'the newest so many' },
        },
      },
      answer: ref('Segments'),
      handle: async ({ query }) => {
        const timeline = await watch.lookAtSegments();
        const robot = query['robot'] as string | undefined;
        const limit = (query['limit'] as number | undefined) ?? SEGMENTS_MAX;
        const ofRobot = timeline.segments.filter(
          (one) => robot === undefined || one.robot === undefined || one.robot === robot,
        );
        const segments = ofRobot.slice(-limit);
        return { ...timeline, segments, omitted: timeline.omitted + ofRobot.length - segments.length };
      },
    },
    {
      ...{ method: 'GET', path: '/topics', role },
      summary: 'Every topic with its counters and rates',
      query: { type: 'object', properties: { robot: said(text, 'only topics of this robot') } },
      answer: ref('Topics'),
      handle: ({ query }) => {
        const robot = query['robot'] as string | undefined;
        watch.topics.absorb(recorder.topics());
        const rows = watch.topics.rows().filter((row) => robot === undefined || row.robot === robot);
        return { topics: rows, omitted: watch.topics.omitted };
      },
    },
    {
      ...{ method: 'GET', path: '/history', role },
      summary: 'The last ten minutes, one point a second, as equally long columns',
      answer: ref('History'),
      handle: () => watch.history.toJson(),
    },
  ];
}

function logRoutes({ watch, log, metrics }: ReadRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/alerts', role },
      summary: 'Every alert, raised or not',
      answer: object({ alerts: list(ref('Alert')) }),
      handle: () => ({ alerts: watch.alerts }),
    },
    {
      ...{ method: 'GET', path: '/logs', role },
      summary: 'The last lines of the operational log',
      query: {
        type: 'object',
        properties: { limit: { ...whole, minimum: 1, maximum: 200, description: 'the last so many' } },
      },
      answer: object({ lines: list(ref('LogLine')) }),
      handle: ({ query }) => ({
        lines: log.recent().slice(-((query['limit'] as number | undefined) ?? 200)),
      }),
    },
    {
      ...{ method: 'GET', path: '/metrics', role },
      summary: 'Metrics for Prometheus (docs/metrics.md)',
      answer: text,
      answerType: 'text/plain',
      handle: async () => {
        const { contentType, text: body } = await metrics();
        return new RouteReply(200, body, contentType);
      },
    },
  ];
}
