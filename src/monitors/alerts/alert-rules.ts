/** How urgent an alert is; numbers as in `diagnostic_msgs/DiagnosticStatus`. */
export type AlertSeverity = 'warning' | 'critical';

/** The facts for the rules, gathered once a second. Absent: unknown, and the alert keeps its state. */
export interface AlertFacts {
  readonly lossWindowMs?: number;
  /** Messages dropped per second over the last ten seconds. */
  readonly droppedPerS?: number;
  /** Anomalies that began, per second over the last ten seconds; absent: there are no rules. */
  readonly anomaliesPerS?: number;
  /** Time until free space reaches zero at the present rate; infinite if it does not shrink. */
  readonly diskTimeToFullMs?: number;
  /** 1 while the recorder cannot commit, otherwise 0. */
  readonly recorderStalled?: number;
  /** Time since pending bytes last became fewer while the link was up; 0 if nothing is pending. */
  readonly syncStalledMs?: number;
  readonly linkDownMs?: number;
  /** Time since sync stopped answering, after it once did. */
  readonly syncDownMs?: number;
  readonly quarantinedSegments?: number;
  readonly parkedSegments?: number;
  /** Evicted here, and no longer held by the store. */
  readonly lostSegments?: number;
  /** WAL segments that could not be sealed. */
  readonly unsealedSegments?: number;
  /** How full the queue of the log is, in lines or bytes, the larger of the two, percent; absent: no file. */
  readonly logQueuePercent?: number;
  /** Parquet sinks that failed in the last minute, cannot be reached, or have parked segments. */
  readonly failingParquetSinks?: number;
  /** Parquet sinks whose tables got other columns in the last minute. */
  readonly changedParquetSinks?: number;
  /** Topics with publishers that send nothing any more. */
  readonly silentTopics?: number;
}

/**
 * One rule. `raise` and `clear` differ, and each must hold for a time, so that a value near a limit raises
 * one alert and not a hundred.
 */
export interface AlertRule<Facts = AlertFacts, Id extends string = AlertId> {
  readonly id: Id;
  readonly severity: AlertSeverity;
  /** Unit of the value, for people. */
  readonly unit: string;
  /** Whether too much or too little is bad. */
  readonly bad: 'above' | 'below';
  readonly raise: number;
  readonly clear: number;
  readonly raiseAfterMs: number;
  readonly clearAfterMs: number;
  readonly value: (facts: Facts) => number | undefined;
  readonly summary: string;
}

export const alertIds = [
  'loss_window',
  'drops',
  'disk_time_to_full',
  'recorder_stalled',
  'sync_stalled',
  'link_down',
  'sync_down',
  'quarantine',
  'segment_parked',
  'segment_unsealed',
  'segment_lost',
  'anomaly',
  'log_queue',
  'parquet_failed',
  'parquet_schema_changed',
  'topic_silent',
] as const;

export type AlertId = (typeof alertIds)[number];

/** The limits that an operator sets; 0 disables a rule. */
export interface AlertLimits {
  readonly lossWindowMs: number;
  readonly diskTimeToFullMs: number;
  readonly syncStalledMs: number;
  readonly linkDownMs: number;
}

/** Maximum fill of the log's queue. */
const LOG_QUEUE_PERCENT = 80;

/** The rules for given limits. */
export function alertRules(limits: AlertLimits): readonly AlertRule[] {
  const limitOf: Readonly<Partial<Record<AlertId, number>>> = {
    loss_window: limits.lossWindowMs,
    disk_time_to_full: limits.diskTimeToFullMs,
    sync_stalled: limits.syncStalledMs,
    link_down: limits.linkDownMs,
  };
  return allRules(limits).filter(({ id }) => limitOf[id] !== 0);
}

function allRules(limits: AlertLimits): readonly AlertRule[] {
  return [
    ...recorderRules(limits),
    ...syncRules(limits),
    ...segmentRules,
    ...dataRules,
    ...lakeRules,
    ...topicRules,
  ];
}

function recorderRules(limits: AlertLimits): readonly AlertRule[] {
  return [
    {
      id: 'loss_window',
      severity: 'critical',
      unit: 'ms',
      bad: 'above',
      raise: limits.lossWindowMs,
      clear: limits.lossWindowMs / 2,
      raiseAfterMs: 2_000,
      clearAfterMs: 10_000,
      value: ({ lossWindowMs }) => lossWindowMs,
      summary: 'commits are too slow: a kill now would lose more than the limit',
    },
    {
      id: 'drops',
      severity: 'warning',
      unit: 'messages/s',
      bad: 'above',
      raise: 0,
      clear: 0,
      raiseAfterMs: 0,
      clearAfterMs: 60_000,
      value: ({ droppedPerS }) => droppedPerS,
      summary: 'messages are dropped; the recording counts each as a gap',
    },
    {
      id: 'disk_time_to_full',
      severity: 'warning',
      unit: 'ms',
      bad: 'below',
      raise: limits.diskTimeToFullMs,
      clear: limits.diskTimeToFullMs * 1.5,
      raiseAfterMs: 10_000,
      clearAfterMs: 30_000,
      value: ({ diskTimeToFullMs }) => diskTimeToFullMs,
      summary: 'the disk will soon be full at the present rate',
    },
    {
      ...whenPositive('recorder_stalled', 'critical', 'yes/no', 2_000, 5_000),
      value: ({ recorderStalled }) => recorderStalled,
      summary: 'the recorder cannot commit',
    },
  ];
}

function syncRules(limits: AlertLimits): readonly AlertRule[] {
  return [
    {
      id: 'sync_stalled',
      severity: 'warning',
      unit: 'ms',
      bad: 'above',
      raise: limits.syncStalledMs,
      clear: limits.syncStalledMs / 2,
      raiseAfterMs: 0,
      clearAfterMs: 5_000,
      value: ({ syncStalledMs }) => syncStalledMs,
      summary: 'the link is up and segments wait, but no segment reaches the store',
    },
    {
      id: 'link_down',
      severity: 'warning',
      unit: 'ms',
      bad: 'above',
      raise: limits.linkDownMs,
      clear: 0,
      raiseAfterMs: 0,
      clearAfterMs: 10_000,
      value: ({ linkDownMs }) => linkDownMs,
      summary: 'the store has been unreachable for a long time',
    },
    {
      id: 'sync_down',
      severity: 'warning',
      unit: 'ms',
      bad: 'above',
      raise: 15_000,
      clear: 0,
      raiseAfterMs: 0,
      clearAfterMs: 0,
      value: ({ syncDownMs }) => syncDownMs,
      summary: 'the sync process has stopped',
    },
  ];
}

const segmentRules: readonly AlertRule[] = [
  {
    ...whenPositive('quarantine', 'critical', 'segments', 0, 0),
    value: ({ quarantinedSegments }) => quarantinedSegments,
    summary: 'damaged segments are in quarantine/',
  },
  {
    ...whenPositive('segment_parked', 'critical', 'segments', 0, 0),
    value: ({ parkedSegments }) => parkedSegments,
    summary: 'the store refuses segments permanently',
  },
  {
    ...whenPositive('segment_unsealed', 'critical', 'segments', 0, 0),
    value: ({ unsealedSegments }) => unsealedSegments,
    summary: 'segments cannot be sealed; their messages are in wal/ and in no MCAP, each start tries again',
  },
  {
    ...whenPositive('segment_lost', 'critical', 'segments', 0, 0),
    value: ({ lostSegments }) => lostSegments,
    summary: 'the store no longer holds segments that were evicted here; no copy of them is known',
  },
];

const dataRules: readonly AlertRule[] = [
  {
    id: 'anomaly',
    severity: 'warning',
    unit: 'anomalies/s',
    bad: 'above',
    raise: 0,
    clear: 0,
    raiseAfterMs: 0,
    clearAfterMs: 60_000,
    value: ({ anomaliesPerS }) => anomaliesPerS,
    summary: 'recorded data breaks a rule of anomaly.rules',
  },
  {
    id: 'log_queue',
    severity: 'warning',
    unit: '%',
    bad: 'above',
    raise: LOG_QUEUE_PERCENT,
    clear: LOG_QUEUE_PERCENT / 2,
    raiseAfterMs: 0,
    clearAfterMs: 10_000,
    value: ({ logQueuePercent }) => logQueuePercent,
    summary: 'the disk does not accept log lines; when the queue is full, new lines are dropped',
  },
];

const lakeRules: readonly AlertRule[] = [
  {
    ...whenPositive('parquet_failed', 'warning', 'sinks', 0, 0),
    value: ({ failingParquetSinks }) => failingParquetSinks,
    summary: 'cannot write or upload Parquet files of a lake; the segments wait',
  },
  {
    ...whenPositive('parquet_schema_changed', 'warning', 'sinks', 0, 0),
    value: ({ changedParquetSinks }) => changedParquetSinks,
    summary: 'tables of a lake have other columns than in the segment before; read them by column name',
  },
];

const topicRules: readonly AlertRule[] = [
  {
    ...whenPositive('topic_silent', 'warning', 'topics', 0, 10_000),
    value: ({ silentTopics }) => silentTopics,
    summary: 'topics that were steady bring nothing any more although a publisher is there',
  },
];

function whenPositive(
  id: AlertId,
  severity: AlertSeverity,
  unit: string,
  raiseAfterMs: number,
  clearAfterMs: number,
): Omit<AlertRule, 'value' | 'summary'> {
  return { id, severity, unit, bad: 'above', raise: 0, clear: 0, raiseAfterMs, clearAfterMs };
}
