import { join } from 'node:path';
import { dataFolder } from '../../core/data-folder.js';
import type { SyncEvent } from '../../core/events.js';
import type { Gap } from '../../core/gap.js';
import { localFileName, type Manifest } from '../../core/manifest.js';
import { recorderStatusSchema, topicStatsSchema } from '../../core/status-schema.js';
import { syncStatusSchema } from '../../core/sync-status-schema.js';
import type { RecorderStatus, SyncStatus, TopicStats } from '../../core/status.js';
import type { Fields } from './cdr-encoder.js';
import { rosMessages } from './ros-messages.js';
import { fieldsFromSchema } from './schema-fields.js';

/** Maximum number of topics in one message: about 200 KiB at 1 Hz; the busiest stay. */
export const TOPIC_STATS_MAX = 1_000;

const time = (ns: string | undefined): bigint => (ns === undefined ? 0n : BigInt(ns));

const recorderFields = fieldsFromSchema(recorderStatusSchema, rosMessages.recorderStatus);
const topicFields = fieldsFromSchema(topicStatsSchema, rosMessages.topicStats);
const syncFields = fieldsFromSchema(syncStatusSchema, rosMessages.syncStatus, {
  alarms: ({ alarms }) =>
    alarms.map(({ robot, segment, code, message }) =>
      [robot, segment, `${code}: ${message}`].filter((part) => part !== '').join(' '),
    ),
});

/** `holdfast/msg/RecorderStatus`. */
export function recorderStatusFields(status: RecorderStatus, stamp: bigint): Fields {
  return { stamp, ...recorderFields(status) };
}

/** `holdfast/msg/SyncStatus`. */
export function syncStatusFields(status: SyncStatus, stamp: bigint): Fields {
  return { stamp, ...syncFields(status) };
}

/** `holdfast/msg/TopicStatsArray`; beyond {@link TOPIC_STATS_MAX} the busiest topics, the others counted. */
export function topicStatsFields(all: readonly TopicStats[], stamp: bigint): Fields {
  const kept =
    all.length <= TOPIC_STATS_MAX
      ? all
      : [...all].sort((a, b) => b.bytesPerS - a.bytesPerS).slice(0, TOPIC_STATS_MAX);
  return { stamp, topics: kept.map(topicFields), omitted: all.length - kept.length };
}

/** `holdfast/msg/SegmentSealed`. */
export function segmentSealedFields(manifest: Manifest, dataRoot: string, stamp: bigint): Fields {
  const { file } = manifest;
  return {
    stamp,
    segment: file.name.replace(/\.mcap$/, ''),
    robot: manifest.robot,
    path: join(dataFolder(dataRoot).sealed, localFileName(manifest)),
    key: manifest.key,
    bytes: file.bytes,
    sha256: file.sha256 ?? '',
    messages: manifest.messages,
    payload_bytes: manifest.payloadBytes,
    channels: manifest.channels.length,
    gaps: manifest.gaps.length,
    first_log_time: time(manifest.firstLogTime),
    last_log_time: time(manifest.lastLogTime),
    unclean_end: manifest.uncleanEnd,
  };
}

/** `holdfast/msg/SegmentSynced`. */
export function segmentSyncedFields(
  event: Extract<SyncEvent, { kind: 'segment-synced' }>,
  stamp: bigint,
): Fields {
  return {
    stamp,
    segment: event.segment,
    robot: event.robot,
    key: event.key,
    bytes: event.bytes,
    messages: event.messages,
    duration_ms: event.durationMs,
    resumed: event.resumed,
  };
}

/** `holdfast/msg/LinkChanged`. */
export function linkChangedFields(event: Extract<SyncEvent, { kind: 'link' }>, stamp: bigint): Fields {
  return {
    stamp,
    link: rosMessages.linkChanged.constant(`LINK_${event.link.toUpperCase()}`),
    since: time(event.since),
    reason: event.reason,
  };
}

/** `holdfast/msg/Gap`. */
export function gapFields(gap: Gap, stamp: bigint): Fields {
  return {
    stamp,
    id: gap.id,
    reason: gap.reason,
    robot: gap.robot,
    topic: gap.topic,
    count: gap.count ?? -1,
    bytes: gap.bytes ?? -1,
    first_time: gap.firstTime ?? 0n,
    last_time: gap.lastTime ?? 0n,
    detail: gap.detail,
  };
}
