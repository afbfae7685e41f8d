import {
  constant,
  count,
  flag,
  list,
  number,
  object,
  oneOf,
  ros,
  rosOrTrue,
  rosOrUnknown,
  text,
  timeNs,
} from './documents/described.js';
import { sinkKinds } from './sink.js';
import { dataFolder, durations, pid, startedAt, version } from './status-members.js';

/* The description of the status of sync: see `status-schema.ts`. */

const link = ros(oneOf(['unknown', 'online', 'offline'], 'state of the link to the store'), 'uint8 link');
const lastSyncAt = ros(timeNs('when a segment was verified last'), 'builtin_interfaces/Time last_sync_at');
const lastError = ros(text('in words'), 'string last_error');

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
    held: ros(
      count('segments that the upload policy keeps here: not uploaded, and not pending'),
      'uint64 segments_held',
    ),
  },
);
const bytes = object(
  {
    pending: ros(count('size of the pending segments'), 'uint64 bytes_pending'),
    verified: ros(count('size of the verified segments'), 'uint64 bytes_verified'),
    resent: ros(
      count('part bytes sent a second time since the start of this process'),
      'uint64 bytes_resent',
    ),
  },
  { held: ros(count('size of the segments that the upload policy keeps here'), 'uint64 bytes_held') },
);
const writes = object(
  { failures: count('attempts that failed'), durations },
  {
    undecoded: count('messages of which the files hold bytes alone, or nothing'),
    schemaChanges: count('tables whose columns differ from those of the segment before'),
    lastSchemaChange: text('which of them changed last, and how'),
  },
  'if files are made of segments (Parquet): how often that failed, and how long it takes',
);

const transforms = object(
  {
    segments: ros(count('segments changed'), 'uint64 transformed_segments'),
    bytesIn: ros(count('their payload bytes, as they were sealed'), 'uint64 transformed_bytes_in'),
    bytesOut: ros(count('payload bytes of what was made of them'), 'uint64 transformed_bytes_out'),
    failed: ros(count('attempts in which a rule could not be applied'), 'uint64 transform_failures'),
    parked: ros(count('segments that are parked because of it now'), 'uint64 transform_parked'),
  },
  {},
  'what `sync.transform` did since the start of this process; absent: segments leave as they are',
);

const encryptedFor = ros(
  list(
    text(),
    'who can read what is uploaded: hfpub1_ texts or names of symmetric keys; absent: it is not encrypted',
  ),
  'string[] encrypted_for',
);

export const sendPolicySchema = object(
  {
    isOpen: rosOrTrue(flag('segments are sent; false: only those of `passing`'), 'bool send_open'),
    since: ros(timeNs('since when it is so'), 'builtin_interfaces/Time send_since'),
    conditions: list(
      object({
        condition: ros(text('as in `sync.when`'), 'string[] send_conditions'),
        alternative: ros(
          count('its place in `sync.when`; the conditions of one alternative must all be met'),
          'uint32[] send_condition_alternatives',
        ),
        state: ros(
          oneOf(['met', 'unmet', 'unknown'], 'unknown counts as not met'),
          'string[] send_condition_states',
        ),
        reason: ros(text('what is known about it'), 'string[] send_condition_reasons'),
      }),
    ),
    passing: ros(
      list(text(), 'classes that are sent in any case: events, high, requested'),
      'string[] send_passing',
    ),
    waiting: object({
      segments: ros(count('pending segments that are not sent now'), 'uint64 send_waiting_segments'),
      bytes: ros(count('their size'), 'uint64 send_waiting_bytes'),
      objects: ros(count('objects of the store that they become'), 'uint64 send_waiting_objects'),
      requests: ros(count('requests that sending them takes, if none fails'), 'uint64 send_waiting_requests'),
    }),
    day: ros(text('the local day that the budget counts'), 'string send_day'),
    spentBytes: ros(count('bytes of segments sent on this day'), 'uint64 send_spent_bytes'),
  },
  {
    reason: ros(text('why segments wait'), 'string send_reason'),
    budgetBytes: ros(count('what may be sent on one day'), 'uint64 send_budget_bytes'),
  },
  'when and how much is sent (docs/send-policy.md); absent: at any time, any number of bytes',
);

export const sinkStatusSchema = object(
  {
    name: ros(text('the kind, with a number if there are several of it, unless it was named'), 'string name'),
    kind: ros(oneOf(sinkKinds), 'string kind'),
    store: ros(text('URI of the store, without credentials'), 'string store'),
    required: ros(flag('local copies stay until this sink has them'), 'bool required'),
    link,
    segments,
    bytes,
    alarms: ros(count('alarms of this sink'), 'uint64 alarms'),
  },
  { lastSyncAt, lastError, writes, transforms, encryptedFor, sendPolicy: sendPolicySchema },
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
    encryptedFor,
    forecast: list(
      object({
        robot: text('empty: all further robots together'),
        bytesPerDay: count('bytes of segments'),
        objectsPerDay: count('objects of the store'),
        requestsPerDay: count('requests to the store, if none fails'),
      }),
      'what each robot sends on a day, at the rate of its segments of the last day that are still here',
    ),
    sendPolicy: sendPolicySchema,
    uploadPolicy: ros(
      text('what is uploaded without a request: all, events or requested'),
      'string upload_policy',
    ),
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
    transforms,
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
