import type { LogLevel } from '../../core/logger.js';
import type { LogLine } from '../../core/monitoring.js';
import type { StatusDocument } from '../live/watch.js';
import type { AnnouncedChannel } from './live-channels.js';

/** Seconds and nanoseconds, as Foxglove writes times in JSON. */
interface JsonTime {
  readonly sec: number;
  readonly nsec: number;
}

function jsonTime(timeNs: bigint): JsonTime {
  return { sec: Number(timeNs / 1_000_000_000n), nsec: Number(timeNs % 1_000_000_000n) };
}

const number = { type: 'number' };
const text = { type: 'string' };
const time = {
  type: 'object',
  title: 'time',
  properties: { sec: { type: 'integer' }, nsec: { type: 'integer' } },
};

function channel(
  topic: string,
  schemaName: string,
  properties: Readonly<Record<string, unknown>>,
): AnnouncedChannel {
  return {
    topic,
    encoding: 'json',
    schemaName,
    schemaEncoding: 'jsonschema',
    schema: JSON.stringify({ title: schemaName, type: 'object', properties }),
  };
}

/** Holdfast's own topics on the live server, in JSON. */
export const statusChannels = {
  watermark: channel('/holdfast/watermark', 'holdfast.Watermark', {
    durable_until: { ...time, description: 'what was received up to here is durable, or a counted gap' },
    loss_window_ms: { ...number, description: 'what lies behind it is not committed yet' },
    uncommitted_messages: number,
    uncommitted_bytes: number,
  }),
  status: channel('/holdfast/status', 'holdfast.Status', {
    state: text,
    messages_per_s: number,
    bytes_per_s: number,
    received: number,
    durable: number,
    dropped: number,
    loss_window_ms: number,
    commit_p50_ms: number,
    commit_p99_ms: number,
    queue_fill: { ...number, description: '0 to 1' },
    wal_bytes: number,
    disk_free_bytes: number,
    sealed_segments: number,
    link: { ...text, description: 'unknown, online, offline, or no sync' },
    pending_segments: number,
    pending_bytes: number,
    upload_bytes_per_s: number,
    cpu_percent: number,
    memory_mb: number,
  }),
  alerts: channel('/holdfast/alerts', 'holdfast.Alerts', {
    raised: {
      type: 'array',
      items: { type: 'object', properties: { id: text, severity: text, summary: text } },
    },
  }),
  // The name and fields that Foxglove's log panel knows.
  log: channel('/holdfast/log', 'foxglove.Log', {
    timestamp: time,
    level: number,
    message: text,
    name: text,
    file: text,
    line: number,
  }),
} as const;

export type StatusTopic = keyof typeof statusChannels;

/** Up to which time received messages are durable, and what is not durable yet. */
export function watermarkMessage({ recorder }: Pick<StatusDocument, 'recorder'>, nowNs: bigint): unknown {
  const { ms, messages, bytes } = recorder.lossWindow;
  return {
    durable_until: jsonTime(nowNs - BigInt(Math.ceil(ms * 1e6))),
    loss_window_ms: ms,
    uncommitted_messages: messages,
    uncommitted_bytes: bytes,
  };
}

export function statusMessage({ recorder, sync, system }: StatusDocument): unknown {
  return {
    state: recorder.state,
    messages_per_s: recorder.rates.messagesPerS,
    bytes_per_s: recorder.rates.bytesPerS,
    received: recorder.totals.received,
    durable: recorder.totals.durable,
    dropped: recorder.totals.dropped,
    loss_window_ms: recorder.lossWindow.ms,
    commit_p50_ms: recorder.commits.p50Ms,
    commit_p99_ms: recorder.commits.p99Ms,
    queue_fill: recorder.queue.bytes / Math.max(1, recorder.queue.maxBytes),
    wal_bytes: recorder.wal.openBytes,
    disk_free_bytes: recorder.disk.freeBytes,
    sealed_segments: recorder.sealed.segments,
    link: sync?.link ?? 'no sync',
    pending_segments: sync?.segments.pending ?? 0,
    pending_bytes: sync?.bytes.pending ?? 0,
    upload_bytes_per_s: sync?.transferBytesPerS ?? 0,
    cpu_percent: system.cpuPercent,
    memory_mb: system.memoryMb,
  };
}

export function alertsMessage({ alerts }: Pick<StatusDocument, 'alerts'>): unknown {
  const raised = alerts.filter((alert) => alert.raised);
  return { raised: raised.map(({ id, severity, summary }) => ({ id, severity, summary })) };
}

const logLevels: Readonly<Record<LogLevel, number>> = { debug: 1, info: 2, warn: 3, error: 4 };

export function logMessage({ atMs, level, event, facts }: LogLine): unknown {
  return {
    timestamp: jsonTime(BigInt(Math.round(atMs)) * 1_000_000n),
    level: logLevels[level],
    message: facts === '' ? event : `${event} ${facts}`,
    name: 'holdfast',
    file: '',
    line: 0,
  };
}
