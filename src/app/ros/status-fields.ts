import { join } from 'node:path';
import { dataFolder } from '../../core/data-folder.js';
import type { SyncEvent } from '../../core/events.js';
import type { Gap } from '../../core/gap.js';
import type { Manifest } from '../../core/manifest.js';
import type { LinkState, RecorderStatus, SyncStatus, TopicStats } from '../../core/status.js';
import type { Fields } from './cdr-encoder.js';
import { rosMessages } from './ros-messages.js';

/** Topics one message holds: about 200 KiB at 1 Hz; the busiest stay. */
export const TOPIC_STATS_MAX = 1_000;

const time = (ns: string | undefined): bigint => (ns === undefined ? 0n : BigInt(ns));

/** `holdfast/msg/RecorderStatus`. */
export function recorderStatusFields(status: RecorderStatus, stamp: bigint): Fields {
  const { totals, rates, lossWindow, commits, queue, wal, sealed, disk, sources } = status;
  const reasons = Object.entries(totals.droppedByReason);
  return {
    stamp,
    version: status.version,
    pid: status.pid,
    state: rosMessages.recorderStatus.constant(`STATE_${status.state.toUpperCase()}`),
    stalled_reason: status.stalledReason,
    session_id: status.sessionId,
    data_folder: status.dataFolder,
    started_at: time(status.startedAt),
    source_uris: sources.map(({ uri }) => uri),
    source_states: sources.map(({ state }) => state),
    source_details: sources.map(({ detail }) => detail ?? ''),
    received: totals.received,
    received_bytes: totals.receivedBytes,
    durable: totals.durable,
    durable_bytes: totals.durableBytes,
    dropped: totals.dropped,
    drop_reasons: reasons.map(([reason]) => reason),
    drop_counts: reasons.map(([, count]) => count),
    messages_per_s: rates.messagesPerS,
    bytes_per_s: rates.bytesPerS,
    loss_window_ms: lossWindow.ms,
    loss_window_messages: lossWindow.messages,
    loss_window_bytes: lossWindow.bytes,
    loss_window_max_ms: lossWindow.maxMs,
    commits: commits.count,
    commit_p50_ms: commits.p50Ms,
    commit_p99_ms: commits.p99Ms,
    commits_failed: commits.failed,
    queue_bytes: queue.bytes,
    queue_max_bytes: queue.maxBytes,
    queue_messages: queue.messages,
    open_segment: wal.openSegment,
    open_bytes: wal.openBytes,
    segment_max_bytes: wal.segmentMaxBytes,
    segment_age_ms: wal.segmentAgeMs,
    segments_waiting: wal.waiting,
    sealed_segments: sealed.segments,
    sealed_bytes: sealed.bytes,
    last_sealed_at: time(sealed.lastSealedAt),
    disk_free_bytes: disk.freeBytes,
    disk_total_bytes: disk.totalBytes,
    evicted_segments: disk.evictedSegments,
    robots: status.robots.map((one) => ({
      robot: one.robot,
      channels: one.channels,
      received: one.received,
      durable: one.durable,
      dropped: one.dropped,
      bytes_per_s: one.bytesPerS,
      messages_per_s: one.messagesPerS,
    })),
  };
}

/** `holdfast/msg/SyncStatus`. */
export function syncStatusFields(status: SyncStatus, stamp: bigint): Fields {
  const { segments, bytes, current } = status;
  return {
    stamp,
    version: status.version,
    pid: status.pid,
    data_folder: status.dataFolder,
    store: status.store,
    store_id: status.storeId,
    started_at: time(status.startedAt),
    is_syncing: status.isSyncing,
    link: linkConstant(status.link),
    link_since: time(status.linkSince),
    last_sync_at: time(status.lastSyncAt),
    upload_errors: status.uploadErrors,
    last_error: status.lastError,
    next_retry_in_ms: status.nextRetryInMs ?? -1,
    segments_pending: segments.pending,
    segments_verified: segments.verified,
    segments_parked: segments.parked,
    bytes_pending: bytes.pending,
    bytes_verified: bytes.verified,
    bytes_resent: bytes.resent,
    resumed_uploads: status.resumedUploads,
    current_segment: current?.segment,
    current_robot: current?.robot,
    current_bytes: current?.bytes,
    current_progress: current?.progress,
    oldest_unsynced_at: time(status.oldestUnsyncedAt),
    transfer_bytes_per_s: status.transferBytesPerS,
    eta_ms: status.etaMs ?? -1,
    alarms: status.alarms.map(({ robot, segment, code, message }) =>
      [robot, segment, `${code}: ${message}`].filter((part) => part !== '').join(' '),
    ),
  };
}

function linkConstant(link: LinkState): number {
  return rosMessages.syncStatus.constant(`LINK_${link.toUpperCase()}`);
}

/** `holdfast/msg/TopicStatsArray`; beyond {@link TOPIC_STATS_MAX} the busiest topics, the others counted. */
export function topicStatsFields(all: readonly TopicStats[], stamp: bigint): Fields {
  const kept =
    all.length <= TOPIC_STATS_MAX
      ? all
      : [...all].sort((a, b) => b.bytesPerS - a.bytesPerS).slice(0, TOPIC_STATS_MAX);
  return { stamp, topics: kept.map(topicFields), omitted: all.length - kept.length };
}

function topicFields(one: TopicStats): Fields {
  return {
    robot: one.robot,
    topic: one.topic,
    type: one.type,
    encoding: one.encoding,
    latched: one.latched,
    priority: rosMessages.topicStats.constant(`PRIORITY_${one.priority.toUpperCase()}`),
    received: one.received,
    received_bytes: one.receivedBytes,
    dropped: one.dropped,
    messages_per_s: one.messagesPerS,
    bytes_per_s: one.bytesPerS,
    queued_bytes: one.queuedBytes,
    last_received_at: time(one.lastReceivedAt),
    present: one.present,
  };
}

/** `holdfast/msg/SegmentSealed`. */
export function segmentSealedFields(manifest: Manifest, dataRoot: string, stamp: bigint): Fields {
  const { file } = manifest;
  return {
    stamp,
    segment: file.name.replace(/\.mcap$/, ''),
    robot: manifest.robot,
    path: join(dataFolder(dataRoot).sealed, file.name),
    key: manifest.key,
    bytes: file.bytes,
    sha256: file.sha256,
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
