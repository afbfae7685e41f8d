import { historyColumns } from '../live/history.js';
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

const robot = object({
  robot: text,
  channels: whole,
  received: whole,
  durable: whole,
  dropped: whole,
  bytesPerS: number,
  messagesPerS: number,
});

const sourceStats = {
  type: 'object',
  description:
    'lagMessages, unacknowledgedMessages, acknowledgedMessages, redeliveredMessages, duplicateMessages, ' +
    'deadLetters, deadLetterFailures, connections, acknowledgeDurations; of sources that read from a server of messages',
};

const topicStats = {
  robot: text,
  topic: text,
  type: text,
  encoding: text,
  latched: flag,
  priority: { type: 'string', enum: ['high', 'normal', 'low'] },
  received: said(whole, 'messages since the start of the process'),
  receivedBytes: whole,
  dropped: whole,
  messagesPerS: number,
  bytesPerS: number,
  queuedBytes: said(whole, 'bytes waiting in the queue of this topic'),
  lastReceivedAt: timeNs,
  present: said(flag, 'false once nobody publishes it any more'),
};

/** Shapes of the API, under the names the OpenAPI document gives them. */
export const apiSchemas: Readonly<Record<string, JsonSchema>> = {
  Error: object({
    error: object({ code: said(text, 'stable, listed in docs/errors.md'), message: text }),
  }),
  Ok: object({ ok: flag }),
  RecorderStatus: {
    ...said({ type: 'object' }, 'the recorder; rates over the last second'),
    properties: {
      role: { const: 'recorder' },
      version: text,
      pid: whole,
      state: {
        type: 'string',
        enum: ['recovering', 'recording', 'paused', 'draining', 'stalled', 'stopped'],
      },
      stalledReason: text,
      sessionId: text,
      dataFolder: text,
      startedAt: timeNs,
      sources: list(
        object({ uri: text, state: text, detail: text, stats: sourceStats }, ['detail', 'stats']),
      ),
      totals: {
        type: 'object',
        description:
          'since the start: received, receivedBytes, durable, durableBytes, dropped, droppedByReason',
      },
      rates: object({ messagesPerS: number, bytesPerS: number }),
      lossWindow: said(
        object({ ms: number, messages: whole, bytes: whole, maxMs: number }),
        'received and not yet durable: what a kill at this moment loses',
      ),
      commits: { type: 'object', description: 'count, p50Ms, p99Ms, failed' },
      queue: object({ bytes: whole, maxBytes: whole, messages: whole }),
      wal: { type: 'object', description: 'openSegment, openBytes, segmentMaxBytes, segmentAgeMs, waiting' },
      sealed: { type: 'object', description: 'segments, bytes, lastSealedAt' },
      disk: { type: 'object', description: 'freeBytes, totalBytes, evictedSegments' },
      robots: list(robot),
      anomalies: {
        type: 'object',
        description:
          'absent without rules; rules (rule, seen, marked, lastAt, last), suppressed, failedMarks, channels, ' +
          'looked, skipped, undecoded',
      },
    },
  },
  SyncStatus: {
    ...said({ type: 'object' }, 'sync, as it answered last'),
    properties: {
      role: { const: 'sync' },
      store: text,
      link: { type: 'string', enum: ['unknown', 'online', 'offline'] },
      linkSince: timeNs,
      lastSyncAt: timeNs,
      storeLatencyMs: said(number, 'time the store took to answer the last probe'),
      isSyncing: flag,
      uploadErrors: whole,
      lastError: said(text, 'in words'),
      nextRetryInMs: number,
      segments: object({ pending: whole, verified: whole, parked: whole }),
      bytes: object({ pending: whole, verified: whole, resent: whole }),
      current: object({ segment: text, robot: text, bytes: whole, progress: number }),
      oldestUnsyncedAt: timeNs,
      transferBytesPerS: number,
      etaMs: number,
      alarms: list(object({ segment: text, robot: text, code: text, message: text })),
      sinks: said(
        list({ type: 'object' }),
        'each of several sinks; the fields above speak of those required',
      ),
    },
  },
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
      ...topicStats,
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

export { flag, list, number, object, ref, said, text, whole };
