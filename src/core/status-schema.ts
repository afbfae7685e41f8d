import {
  constant,
  count,
  countsBy,
  flag,
  list,
  number,
  object,
  oneOf,
  ros,
  rosOrUnknown,
  text,
  timeNs,
} from './documents/described.js';
import type { GapReason } from './gap.js';

/*
 * The one description of the status of recorder and sync. The types of `status.ts`, the OpenAPI document, the
 * check of the .msg files and docs/status.md follow from it.
 */

/** Members that more than one of the descriptions has. */
const version = ros(text('version of the software'), 'string version');
const pid = ros(count('process id'), 'uint32 pid');
const dataFolder = ros(text('path of the data folder'), 'string data_folder');
const startedAt = ros(timeNs('when this process started'), 'builtin_interfaces/Time started_at');
const robot = ros(text('name of the robot'), 'string robot');
const messagesPerS = ros(number('messages received over the last second'), 'float64 messages_per_s');
const bytesPerS = ros(number('payload received over the last second, bytes'), 'float64 bytes_per_s');

const durations = object(
  {
    boundsMs: list(number(), 'upper bounds of the buckets in milliseconds, growing'),
    atMost: list(count(), 'how many lasted at most the bound of the same place'),
    count: count(),
    sumMs: number('milliseconds, all together'),
  },
  {},
  'a histogram of durations since the start of the process',
);

const link = ros(oneOf(['unknown', 'online', 'offline'], 'state of the link to the store'), 'uint8 link');
const lastSyncAt = ros(timeNs('when a segment was verified last'), 'builtin_interfaces/Time last_sync_at');
const lastError = ros(text('in words'), 'string last_error');

export const robotStatusSchema = object({
  robot,
  channels: ros(count('channels seen'), 'uint32 channels'),
  received: ros(count('messages received since the start of the process'), 'uint64 received'),
  durable: ros(count('messages made durable since the start of the process'), 'uint64 durable'),
  dropped: ros(count('messages dropped since the start of the process'), 'uint64 dropped'),
  bytesPerS,
  messagesPerS,
});

const sourceStats = object(
  { duplicateMessages: count('deliveries of messages that were in the recording, or on their way into it') },
  {
    lagMessages: count('messages at the server that nobody was given yet'),
    unacknowledgedMessages: count('given to this recorder and not acknowledged yet'),
    acknowledgedMessages: count(),
    silentTopics: count('topics whose publishers are there and that bring nothing any more'),
    resubscriptions: count('how often such a topic was subscribed to again'),
    redeliveredMessages: count('deliveries that were not the first of their message'),
    deadLetters: count('messages put aside because they cannot be recorded'),
    deadLetterFailures: count('messages that could not be put aside and are tried again'),
    connections: count('connections made'),
    acknowledgeDurations: durations,
  },
  'what the source counts, as far as it can; absent if it counts nothing',
);

const source = object(
  {
    uri: ros(text('URI of the source, without credentials'), 'string[] source_uris'),
    state: ros(text('connecting, open, waiting, done or failed'), 'string[] source_states'),
  },
  { detail: ros(text('the state in words'), 'string[] source_details'), stats: sourceStats },
);

export const anomalyRuleSchema = object(
  {
    rule: ros(text('name of the rule'), 'string rule'),
    seen: ros(count('anomalies that began'), 'uint64 seen'),
    marked: ros(count('anomalies for which an event was marked'), 'uint64 marked'),
  },
  {
    lastAt: ros(timeNs('when the last one began'), 'builtin_interfaces/Time last_at'),
    last: ros(text('what was seen where'), 'string last'),
  },
);

const anomalies = object(
  {
    rules: ros(list(anomalyRuleSchema), 'AnomalyRuleStatus[] anomaly_rules'),
    suppressed: ros(
      count('not marked: too soon after another one, or too many in an hour'),
      'uint64 anomalies_suppressed',
    ),
    failedMarks: ros(count('not marked because that failed'), 'uint64 anomaly_marks_failed'),
    channels: ros(count('channels a rule is about'), 'uint32 anomaly_channels'),
    looked: ros(count('messages looked into'), 'uint64 anomaly_messages_looked_into'),
    skipped: ros(count('messages there was no time or room for'), 'uint64 anomaly_messages_skipped'),
    undecoded: ros(count('messages that could not be decoded'), 'uint64 anomaly_messages_undecoded'),
  },
  {},
  'what the rules for anomalies saw since the start; absent without rules',
);

export const recorderStatusSchema = object(
  {
    role: constant('recorder'),
    version,
    pid,
    state: ros(
      oneOf(
        ['recovering', 'recording', 'paused', 'draining', 'stalled', 'stopped', 'inactive'],
        'inactive: it holds the data folder and records nothing; stopped: it does not even hold the folder',
      ),
      'uint8 state',
    ),
    sessionId: ros(text('id of this run, 32 hex digits'), 'string session_id'),
    dataFolder,
    startedAt,
    sources: list(source),
    totals: object(
      {
        received: ros(count('messages received'), 'uint64 received'),
        receivedBytes: ros(count('their payload, bytes'), 'uint64 received_bytes'),
        durable: ros(count('messages made durable'), 'uint64 durable'),
        durableBytes: ros(count('their payload, bytes'), 'uint64 durable_bytes'),
        dropped: ros(count('messages dropped'), 'uint64 dropped'),
        droppedByReason: ros(
          countsBy<GapReason>('messages dropped, by the reason in their gaps'),
          'string[] drop_reasons',
          'uint64[] drop_counts',
        ),
      },
      {},
      'since the start of the process',
    ),
    rates: object({ messagesPerS, bytesPerS }),
    lossWindow: object(
      {
        ms: ros(number('age of the oldest such message, milliseconds'), 'float64 loss_window_ms'),
        messages: ros(count('messages'), 'uint64 loss_window_messages'),
        bytes: ros(count('their payload, bytes'), 'uint64 loss_window_bytes'),
        maxMs: ros(number('largest age since the start, milliseconds'), 'float64 loss_window_max_ms'),
      },
      {},
      'received and not yet durable: what a kill at this moment loses',
    ),
    commits: object(
      {
        count: ros(count('commits since the start'), 'uint64 commits'),
        p50Ms: ros(number('median of a commit with its fsync, milliseconds'), 'float64 commit_p50_ms'),
        p99Ms: ros(number('99th percentile, milliseconds'), 'float64 commit_p99_ms'),
        failed: ros(count('commits that failed'), 'uint64 commits_failed'),
      },
      { durations },
    ),
    queue: object({
      bytes: ros(count('payload in the queues, bytes'), 'uint64 queue_bytes'),
      maxBytes: ros(count('bound on all queues together, bytes'), 'uint64 queue_max_bytes'),
      messages: ros(count('messages in the queues'), 'uint64 queue_messages'),
    }),
    wal: object(
      {
        openBytes: ros(count('size of the open segment, bytes'), 'uint64 open_bytes'),
        segmentMaxBytes: ros(count('size at which a segment is rolled, bytes'), 'uint64 segment_max_bytes'),
        segmentAgeMs: ros(number('age of the open segment, milliseconds'), 'float64 segment_age_ms'),
        waiting: ros(count('closed segments that wait to be sealed'), 'uint32 segments_waiting'),
      },
      {
        openSegment: ros(text('id of the open segment'), 'string open_segment'),
        setAside: ros(
          count('waiting segments that could not be sealed in any way; each start tries again'),
          'uint32 segments_set_aside',
        ),
        setAsideError: ros(text('which of them has waited the longest, and why'), 'string set_aside_error'),
      },
    ),
    sealed: object(
      {
        segments: ros(count('sealed segments in the data folder'), 'uint32 sealed_segments'),
        bytes: ros(count('their size, bytes'), 'uint64 sealed_bytes'),
      },
      {
        lastSealedAt: ros(timeNs('when a segment was sealed last'), 'builtin_interfaces/Time last_sealed_at'),
      },
    ),
    disk: object({
      freeBytes: ros(count('free space on the disk of the data folder, bytes'), 'uint64 disk_free_bytes'),
      totalBytes: ros(count('size of that disk, bytes'), 'uint64 disk_total_bytes'),
      evictedSegments: ros(count('segments evicted since the start'), 'uint64 evicted_segments'),
    }),
    robots: ros(list(robotStatusSchema, "each robot's share"), 'RobotStatus[] robots'),
  },
  {
    stalledReason: ros(text('why it is stalled, or why it did not get further'), 'string stalled_reason'),
    anomalies,
  },
  'what the recorder says about itself',
);

export const topicStatsSchema = object(
  {
    robot,
    topic: ros(text('name of the topic'), 'string topic'),
    type: ros(text('type of its messages'), 'string type'),
    encoding: ros(text('encoding of its messages, such as cdr'), 'string encoding'),
    latched: ros(flag('late subscribers get the last message'), 'bool latched'),
    priority: ros(oneOf(['high', 'normal', 'low']), 'uint8 priority'),
    received: ros(count('messages since the start of the process'), 'uint64 received'),
    receivedBytes: ros(count('their payload, bytes'), 'uint64 received_bytes'),
    dropped: ros(count('messages dropped since the start of the process'), 'uint64 dropped'),
    messagesPerS,
    bytesPerS,
    queuedBytes: ros(count('bytes waiting in the queue of this topic'), 'uint64 queued_bytes'),
    present: ros(flag('false once nobody publishes it any more'), 'bool present'),
  },
  {
    lastReceivedAt: ros(
      timeNs('when the last message came; absent before the first'),
      'builtin_interfaces/Time last_received_at',
    ),
  },
);

/** Members of the status and of each sink. */
const segments = object(
  {
    pending: ros(count('sealed segments not yet verified in the store'), 'uint64 segments_pending'),
    verified: ros(count('segments verified in the store and still here'), 'uint64 segments_verified'),
    parked: ros(count('segments the store refused for good'), 'uint64 segments_parked'),
  },
  {
    lost: ros(
      count('evicted here and no longer held by the store: no copy is known'),
      'uint64 segments_lost',
    ),
    retrying: ros(
      count('pending segments whose last attempt failed: they are tried again, until they are parked'),
      'uint64 segments_retrying',
    ),
  },
);
const bytes = object({
  pending: ros(count('size of the pending segments'), 'uint64 bytes_pending'),
  verified: ros(count('size of the verified segments'), 'uint64 bytes_verified'),
  resent: ros(count('part bytes sent a second time since the start of this process'), 'uint64 bytes_resent'),
});
const writes = object(
  { failures: count('attempts that failed'), durations },
  {
    undecoded: count('messages of which the files hold bytes alone, or nothing'),
    schemaChanges: count('tables whose columns differ from those of the segment before'),
    lastSchemaChange: text('which of them changed last, and how'),
  },
  'if files are made of segments (Parquet): how often that failed, and how long it takes',
);

export const sinkStatusSchema = object(
  {
    name: ros(text('`mcap` or `parquet`, with a number if there are several of a kind'), 'string name'),
    kind: ros(oneOf(['mcap', 'parquet']), 'string kind'),
    store: ros(text('URI of the store, without credentials'), 'string store'),
    required: ros(flag('local copies stay until this sink has them'), 'bool required'),
    link,
    segments,
    bytes,
    alarms: ros(count('alarms of this sink'), 'uint64 alarms'),
  },
  { lastSyncAt, lastError, writes },
);

export const syncAlarmSchema = object({
  segment: text(),
  robot: text(),
  code: text('stable, listed in docs/errors.md'),
  message: text(),
});

export const syncStatusSchema = object(
  {
    role: constant('sync'),
    version,
    pid,
    dataFolder,
    store: ros(text('URI of the store, without credentials'), 'string store'),
    startedAt,
    isSyncing: ros(flag('parts are being sent'), 'bool is_syncing'),
    link,
    linkSince: ros(timeNs('since when the link is in this state'), 'builtin_interfaces/Time link_since'),
    uploadErrors: ros(
      count('failed calls to the store since the start of this process'),
      'uint64 upload_errors',
    ),
    segments,
    bytes,
    resumedUploads: ros(
      count('uploads continued from parts of an earlier process, since the start of this process'),
      'uint64 resumed_uploads',
    ),
    transferBytesPerS: ros(number('sent over the last seconds, bytes'), 'float64 transfer_bytes_per_s'),
    alarms: ros(list(syncAlarmSchema, 'segments the store refused for good'), 'string[] alarms'),
  },
  {
    storeId: ros(text('id object of the store, 32 hex digits'), 'string store_id'),
    lastSyncAt,
    segmentsSynced: ros(
      count('segments verified in this store so far, over all processes, evicted ones included'),
      'uint64 segments_synced_total',
    ),
    storeRefuses: object(
      {
        what: ros(constant('checksums'), 'string store_refuses'),
        server: ros(
          text('what the server called itself then; empty: nothing'),
          'string store_refuses_server',
        ),
        since: ros(timeNs('when it refused them first'), 'builtin_interfaces/Time store_refuses_since'),
      },
      {},
      'what the store refuses, also to earlier processes; requests do without',
    ),
    storeLatencyMs: rosOrUnknown(
      number('time the store took to answer the last probe'),
      'float64 store_latency_ms',
    ),
    lastError,
    nextRetryInMs: rosOrUnknown(number('milliseconds to the next attempt'), 'int64 next_retry_in_ms'),
    uploads: object(
      {
        segments: count('segments verified'),
        bytes: count('bytes of verified segments'),
        sentBytes: count('bytes sent'),
        retries: count('attempts after the first'),
        durations,
      },
      {},
      'what this process did since its start; durations from the first byte sent to verified',
    ),
    writes,
    current: object({
      segment: ros(text('the segment being uploaded'), 'string current_segment'),
      robot: ros(text('its robot'), 'string current_robot'),
      bytes: ros(count('its size'), 'uint64 current_bytes'),
      progress: ros(number('share of it that is sent, 0 to 1'), 'float32 current_progress'),
    }),
    oldestUnsyncedAt: ros(
      timeNs('first log time of the oldest segment that is not verified'),
      'builtin_interfaces/Time oldest_unsynced_at',
    ),
    etaMs: rosOrUnknown(number('milliseconds until everything pending is sent at this rate'), 'int64 eta_ms'),
    sinks: ros(
      list(sinkStatusSchema, 'each of several sinks; the fields above are about those required'),
      'SinkStatus[] sinks',
    ),
  },
  'what sync says about itself, as it answered last',
);
