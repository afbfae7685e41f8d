import type { SyncOptions } from '../sync/sync-options.js';
import type { ParameterName } from './parameter-table.js';
import type { RecorderOptions } from './recorder-options.js';
import { jsonText } from '../core/json-text.js';

/** Where a parameter is used. */
type Read<Options> = (options: Options) => unknown;

/** Parameters that a recorder accepts while it runs, at once and without losing a message. */
const recorderReads = {
  'topics.include': ({ filter }) => filter.includeTopics,
  'topics.exclude': ({ filter }) => filter.excludeTopics,
  'types.include': ({ filter }) => filter.includeTypes,
  'types.exclude': ({ filter }) => filter.excludeTypes,
  rules: ({ rules }) => rules,
  tags: ({ tags }) => tags,
  max_channels: ({ maxChannels }) => maxChannels,
  'queue.max_bytes': ({ queue }) => queue.maxBytes,
  'queue.total_max_bytes': ({ queue }) => queue.totalMaxBytes,
  'batch.max_bytes': ({ batch }) => batch.maxBytes,
  'batch.max_count': ({ batch }) => batch.maxCount,
  'batch.max_age_ms': ({ batch }) => batch.maxAgeMs,
  'durability.interval_ms': ({ durability }) => durability.intervalMs,
  'segment.max_bytes': ({ segment }) => segment.maxBytes,
  'segment.max_age_ms': ({ segment }) => segment.maxAgeMs,
  'seal.compression': ({ seal }) => seal.compression,
  'seal.compression_level': ({ seal }) => seal.level,
  'seal.chunk_bytes': ({ seal }) => seal.chunkBytes,
  'seal.in_place': ({ seal }) => seal.inPlace,
  'seal.in_place_min_bytes': ({ seal }) => seal.inPlaceMinBytes,
  'seal.compress_limit': ({ seal }) => seal.compressMaxBytesPerS,
  'latched.max_bytes': ({ latchedMaxBytes }) => latchedMaxBytes,
  'retention.min_free_bytes': ({ retention }) => retention.minFreeBytes,
  'retention.min_free_percent': ({ retention }) => retention.minFreePercent,
  'retention.max_bytes': ({ retention }) => retention.maxBytes,
  'retention.when_full': ({ retention }) => retention.whenFull,
  'retention.confirm_max_age_ms': ({ retention }) => retention.confirmMaxAgeMs,
  'anomaly.rules': ({ anomaly }) => anomaly.rules,
  'anomaly.before_ms': ({ anomaly }) => anomaly.beforeMs,
  'anomaly.after_ms': ({ anomaly }) => anomaly.afterMs,
  'anomaly.cooldown_ms': ({ anomaly }) => anomaly.cooldownMs,
  'anomaly.max_marks_per_hour': ({ anomaly }) => anomaly.maxMarksPerHour,
  'anomaly.budget_ms': ({ anomaly }) => anomaly.budgetMs,
  ballast_bytes: ({ ballastBytes }) => ballastBytes,
} as const satisfies Partial<Record<ParameterName, Read<RecorderOptions>>>;

/** Parameters that are fixed once the data folder is taken. */
const recorderFixedReads = {
  data: ({ data }) => data,
  sources: ({ sources }) => sources,
  // The meaning of an acknowledgement is written into each segment at its start.
  'durability.mode': ({ durability }) => durability.mode,
  'seal.thread': ({ seal }) => seal.thread,
  // A segment that is sealed a second time after a crash would say something else.
  'seal.foxglove_project': ({ seal }) => seal.foxglove.project,
  'seal.foxglove_device': ({ seal }) => seal.foxglove.device,
  'seal.foxglove_device_ids': ({ seal }) => seal.foxglove.deviceIds,
  'seal.foxglove_key': ({ seal }) => seal.foxglove.key,
  // A segment in the queue would be readable for others than those that were named when it was recorded.
  'encryption.recipients': ({ encryption }) => encryption.recipients,
  // Segments of two kinds at a time would need two answers to who can read the WAL.
  'encryption.at_rest_key': ({ encryption }) => encryption.atRestKey,
  // A half sealed segment would be sealed a second time under other names.
  'segment.split_by_priority': ({ segment }) => segment.splitByPriority,
} as const satisfies Partial<Record<ParameterName, Read<RecorderOptions>>>;

const syncReads = {
  'upload.order': ({ order }) => order,
  'sync.upload': ({ upload }) => upload,
  'sync.when': ({ when }) => when,
  'sync.budget': ({ budgetBytesPerDay }) => budgetBytesPerDay,
  'sync.pass': ({ pass }) => pass,
  'sync.time_zone': ({ timeZone }) => timeZone,
  'sync.condition_poll_ms': ({ conditionPollMs }) => conditionPollMs,
  'sync.topic_max_age_ms': ({ topicMaxAgeMs }) => topicMaxAgeMs,
  'upload.parts_per_upload': ({ partsPerUpload }) => partsPerUpload,
  'upload.uploads_in_flight': ({ uploadsInFlight }) => uploadsInFlight,
  'upload.segments_in_flight': ({ segmentsInFlight }) => segmentsInFlight,
  'upload.bandwidth_limit': ({ bandwidthBytesPerS }) => bandwidthBytesPerS,
  'upload.attempts_per_turn': ({ attemptsPerTurn }) => attemptsPerTurn,
  'upload.refused_rounds': ({ refusedRounds }) => refusedRounds,
  'upload.max_retries': ({ maxRetries }) => maxRetries,
  'upload.stale_age_ms': ({ staleUploadAgeMs }) => staleUploadAgeMs,
  'link.backoff_first_ms': ({ backoffFirstMs }) => backoffFirstMs,
  'link.backoff_max_ms': ({ backoffMaxMs }) => backoffMaxMs,
  'link.backoff_jitter': ({ backoffJitter }) => backoffJitter,
  'link.idle_probe_ms': ({ idleProbeMs }) => idleProbeMs,
  'link.call_timeout_ms': ({ callTimeoutMs }) => callTimeoutMs,
  poll_interval_ms: ({ pollIntervalMs }) => pollIntervalMs,
  housekeeping_interval_ms: ({ housekeepingIntervalMs }) => housekeepingIntervalMs,
  request_poll_ms: ({ requestPollMs }) => requestPollMs,
  scrub_per_hour: ({ scrubPerHour }) => scrubPerHour,
} as const satisfies Partial<Record<ParameterName, Read<SyncOptions>>>;

/** Parameters that a recorder accepts while it runs (`RecorderControl.reconfigure`). */
export const liveRecorderParameters: ReadonlySet<ParameterName> = new Set(names(recorderReads));

/** Parameters that sync accepts while it runs (`SyncEngine.reconfigure`; the rules by `SyncSetup.changeTransform`). */
export const liveSyncParameters: ReadonlySet<ParameterName> = new Set([
  ...names(syncReads),
  'sync.transform',
]);

/** Parameters that differ between two sets of a recorder's options. */
export function changedRecorderParameters(before: RecorderOptions, after: RecorderOptions): ParameterName[] {
  return changed({ ...recorderFixedReads, ...recorderReads }, before, after);
}

/** Live parameters that differ between two sets of sync's options. */
export function changedSyncParameters(before: SyncOptions, after: SyncOptions): ParameterName[] {
  return changed(syncReads, before, after);
}

function changed<Options>(
  reads: Partial<Record<ParameterName, Read<Options>>>,
  before: Options,
  after: Options,
): ParameterName[] {
  return names(reads).filter((name) => text(reads[name]?.(before)) !== text(reads[name]?.(after)));
}

function names(reads: Partial<Record<ParameterName, unknown>>): ParameterName[] {
  return Object.keys(reads) as ParameterName[];
}

/** Values in comparable form; a regular expression by its source. */
function text(value: unknown): string {
  return jsonText(value, (_, inner: unknown) => (inner instanceof RegExp ? String(inner) : inner)) ?? '';
}
