import { recorderStatusSchema, topicStatsSchema } from '../../core/status-schema.js';
import { syncStatusSchema } from '../../core/sync-status-schema.js';
import { historyColumns } from '../live/history.js';
import { plainPage } from './plain-page.js';
import type { JsonSchema } from './route.js';

const text = { type: 'string' } as const;
const number = { type: 'number' } as const;
const whole = { type: 'integer', minimum: 0 } as const;
const flag = { type: 'boolean' } as const;
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const timeNs = {
  type: 'string',
  pattern: '^[0-9]+$',
  description: 'decimal nanoseconds since the Unix epoch',
};
const timeMs = { type: 'number', description: 'milliseconds since the Unix epoch' };
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
const said = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });

function object(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

/** Schemas of the API, with their names in the OpenAPI document. */
export const apiSchemas: Readonly<Record<string, JsonSchema>> = {
  Error: object({
    error: object({ code: said(text, 'stable, listed in docs/errors.md'), message: text }),
  }),
  Ok: object({ ok: flag }),
  RecorderStatus: recorderStatusSchema,
  SyncStatus: syncStatusSchema,
  System: object({
    memoryMb: said(number, 'resident memory of the recorder, megabytes'),
    heapMb: number,
    cpuPercent: said(number, 'of the recorder over the last second, percent of one core'),
    cores: whole,
    loadAverage1m: number,
    hostMemoryFreeMb: number,
    hostMemoryTotalMb: number,
    uptimeS: number,
  }),
  Alert: object(
    {
      id: text,
      severity: { type: 'string', enum: ['warning', 'critical'] },
      raised: flag,
      sinceMs: said(timeMs, 'of the last change, milliseconds since the Unix epoch'),
      value: number,
      limit: number,
      unit: text,
      summary: text,
    },
    ['sinceMs', 'value'],
  ),
  LogStats: object(
    {
      level: { type: 'string', enum: ['debug', 'info', 'warn', 'error'] },
      listenerRunning: said(flag, 'the file is being written'),
      file: text,
      fileBytes: whole,
      queuedLines: whole,
      queuedBytes: whole,
      queueMaxLines: whole,
      queueMaxBytes: whole,
      writtenLines: whole,
      droppedLines: whole,
      rotations: whole,
      lastError: text,
    },
    ['file', 'lastError'],
  ),
  LogLine: object({ atMs: timeMs, level: text, event: text, facts: said(text, 'one line') }),
  Status: object(
    {
      atMs: timeMs,
      host: text,
      phase: {
        type: 'string',
        enum: [
          'unconfigured',
          'configuring',
          'inactive',
          'activating',
          'active',
          'deactivating',
          'cleaning-up',
        ],
        description: 'of the recorder process; `active` records',
      },
      recorder: ref('RecorderStatus'),
      sync: said(orNull(ref('SyncStatus')), 'null while the sync process does not answer'),
      syncError: said(text, 'why sync is null'),
      syncSeenAtMs: said(timeMs, 'when sync answered last; absent: never since the recorder started'),
      system: ref('System'),
      diskTimeToFullMs: said(
        orNull(number),
        'at the present rate; null: it does not shrink, or is not known yet',
      ),
      alerts: list(ref('Alert')),
      log: ref('LogStats'),
      services: said({ type: 'object' }, 'reports of web, foxglove and webhook'),
    },
    ['syncError', 'syncSeenAtMs'],
  ),
  Topic: object(
    {
      ...(topicStatsSchema['properties'] as Readonly<Record<string, JsonSchema>>),
      id: said(whole, 'stable for the life of the process'),
      spark: said(list(number), 'messages per second, oldest first, one point every 3 s'),
    },
    ['lastReceivedAt'],
  ),
  Gap: object(
    { reason: text, topic: text, count: said(whole, 'absent: unknown'), firstTime: timeNs, lastTime: timeNs },
    ['topic', 'count', 'firstTime', 'lastTime'],
  ),
  Segment: object(
    {
      segment: text,
      number: said(whole, 'order of creation'),
      robot: said(text, 'absent for what holds all robots'),
      priority: said(text, 'where priority classes have segments of their own'),
      state: {
        type: 'string',
        enum: ['open', 'waiting', 'sealed', 'uploading', 'uploaded', 'evicted', 'quarantined'],
      },
      bytes: whole,
      messages: whole,
      firstLogTime: timeNs,
      lastLogTime: timeNs,
      sealedAt: timeNs,
      progress: said(number, '0 to 1, while uploading'),
      uncleanEnd: flag,
      stores: list(text),
      reason: said(text, 'why it was evicted'),
      events: said(list(ref('MarkedEvent')), 'marked events whose windows it overlaps'),
      gaps: list(ref('Gap')),
      moreGaps: said(whole, 'gaps beyond those listed'),
    },
    [
      'number',
      'robot',
      'priority',
      'messages',
      'firstLogTime',
      'lastLogTime',
      'sealedAt',
      'progress',
      'uncleanEnd',
      'stores',
      'reason',
      'events',
    ],
  ),
  Segments: object({
    version: said(whole, 'changes whenever the segments do'),
    segments: said(list(ref('Segment')), 'the newest, oldest first'),
    omitted: said(whole, 'older ones that are left out'),
    quarantined: whole,
  }),
  Topics: object({ topics: list(ref('Topic')), omitted: whole }),
  Resources: object({
    memory_mb: number,
    cpu_percent: number,
    queue_bytes: whole,
    queue_max_bytes: whole,
    queue_messages: whole,
    wal_waiting_segments: whole,
    logging: object({
      queue_size: said(whole, 'lines that wait to be written'),
      queue_maxsize: said(whole, 'lines that may wait'),
      log_file: said(orNull(text), 'null: nothing is written to a file'),
      listener_running: said(flag, 'the file is being written'),
    }),
    log_file: orNull(text),
    log_queue_bytes: whole,
    log_queue_max_bytes: whole,
    log_dropped_lines: whole,
    listener_running: flag,
    web_clients: whole,
    foxglove_clients: whole,
  }),
  History: object(
    Object.fromEntries(
      Object.entries(historyColumns).map(([name, about]) => [name, said(list(orNull(number)), about)]),
    ),
  ),
  MarkedEvent: object({ id: text, label: text, at: timeNs, from: timeNs, to: timeNs }),
};

/** The recorder's OpenAPI document. */
export const recorderApi = {
  path: '/openapi.json',
  title: 'Holdfast recorder',
  description:
    'State and control of one recorder and of the sync process beside it. Live state comes over a ' +
    'WebSocket at /live (docs/http-api.md). Times ending in Ms are milliseconds since the Unix epoch; ' +
    'decimal strings are nanoseconds.',
  schemas: apiSchemas,
  plainPage: plainPage('The recorder runs. The dashboard is not part of this build.', {
    ...{ status: '/status', topics: '/topics', segments: '/segments', alerts: '/alerts' },
    ...{ metrics: '/metrics', OpenAPI: '/openapi.json' },
  }),
} as const;

export { flag, list, number, object, ref, said, text, whole };
