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
  text,
  textsBy,
  timeNs,
} from './documents/described.js';
import type { GapReason } from './gap.js';
import { dataFolder, durations, pid, robot, startedAt, version } from './status-members.js';

/*
 * The one description of the recorder's status; `sync-status-schema.ts` describes that of sync. The types of
 * `status.ts`, the OpenAPI document, the check of the .msg files and docs/status.md follow from both.
 */

const messagesPerS = ros(number('messages received over the last second'), 'float64 messages_per_s');
const bytesPerS = ros(number('payload received over the last second, bytes'), 'float64 bytes_per_s');

export const robotStatusSchema = object(
  {
    robot,
    channels: ros(count('channels seen'), 'uint32 channels'),
    received: ros(count('messages received since the start of the process'), 'uint64 received'),
    durable: ros(count('messages made durable since the start of the process'), 'uint64 durable'),
    dropped: ros(count('messages dropped since the start of the process'), 'uint64 dropped'),
    decimated: ros(
      count('messages left out by a rule (max_hz, every) since the start of the process'),
      'uint64 decimated',
    ),
    bytesPerS,
    messagesPerS,
  },
  {
    vin: ros(
      text('vehicle identification number, by the metadata of its channels; absent: not a vehicle'),
      'string vin',
    ),
  },
);

const sourceStats = object(
  { duplicateMessages: count('deliveries of messages that were in the recording, or on their way into it') },
  {
    lagMessages: count('messages at the server that nobody was given yet'),
    unacknowledgedMessages: count('given to this recorder and not acknowledged yet'),
    acknowledgedMessages: count(),
    silentTopics: count('topics whose publishers are there and that bring nothing any more'),
    resubscriptions: count('how often such a topic was subscribed to again'),
    receiveLatencies: durations,
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
        decimated: ros(
          count('messages left out by a rule (max_hz, every); they are not dropped'),
          'uint64 decimated',
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
    tags: ros(
      textsBy('tags of the segments that are recorded now; absent before the data folder is taken'),
      'string[] tag_names',
      'string[] tag_values',
    ),
    encryptedFor: ros(
      list(
        text(),
        'who can read the segments that it seals: hfpub1_ texts or names of symmetric keys; absent: they are not encrypted',
      ),
      'string[] encrypted_for',
    ),
    atRestKeyName: ros(
      text(
        'name of the symmetric key that encrypts what is not sealed yet, key: and 16 hex digits; absent: that is not encrypted',
      ),
      'string at_rest_key_name',
    ),
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
    decimated: ros(
      count('messages left out by a rule (max_hz, every) since the start of the process'),
      'uint64 decimated',
    ),
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
