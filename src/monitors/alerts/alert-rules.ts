/** How urgent an alert is; numbers as in `diagnostic_msgs/DiagnosticStatus`. */
export type AlertSeverity = 'warning' | 'critical';

/** What the rules look at; gathered once a second. Absent: not known, the alert keeps its state. */
export interface AlertFacts {
  readonly lossWindowMs?: number;
  /** Messages dropped per second over the last ten seconds. */
  readonly droppedPerS?: number;
  /** Anomalies that began, per second over the last ten seconds; absent: none are looked for. */
  readonly anomaliesPerS?: number;
  /** Until free space reaches zero at the present rate; infinite where it does not shrink. */
  readonly diskTimeToFullMs?: number;
  /** 1 while the recorder cannot commit, else 0. */
  readonly recorderStalled?: number;
  /** Since pending bytes last became fewer while the link was up; 0 where nothing is pending. */
  readonly syncStalledMs?: number;
  readonly linkDownMs?: number;
  /** Since sync stopped answering, after it once did. */
  readonly syncDownMs?: number;
  readonly quarantinedSegments?: number;
  readonly parkedSegments?: number;
}

/**
 * One rule. `raise` and `clear` lie apart, and each must hold for a time, so that a value that hovers around
 * a limit raises one alert and not a hundred.
 */
export interface AlertRule {
  readonly id: AlertId;
  readonly severity: AlertSeverity;
  /** Unit of the value, for people. */
  readonly unit: string;
  /** Whether too much or too little is bad. */
  readonly bad: 'above' | 'below';
  readonly raise: number;
  readonly clear: number;
  readonly raiseAfterMs: number;
  readonly clearAfterMs: number;
  readonly value: (facts: AlertFacts) => number | undefined;
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
  'anomaly',
] as const;

export type AlertId = (typeof alertIds)[number];

/** The limits an operator sets; 0 leaves a rule out. */
export interface AlertLimits {
  readonly lossWindowMs: number;
  readonly diskTimeToFullMs: number;
  readonly syncStalledMs: number;
  readonly linkDownMs: number;
}

/** The rule set for given limits. */
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
      summary: 'a kill now would lose more than allowed: commits are too slow',
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
      summary: 'messages are being dropped; each is counted as a gap in the recording',
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
      summary: 'at the present rate the disk is full soon',
    },
    {
      ...whenPositive('recorder_stalled', 'critical', 'yes/no', 2_000, 5_000),
      value: ({ recorderStalled }) => recorderStalled,
      summary: 'the recorder cannot commit',
    },
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
      summary: 'the link is up and segments wait, but nothing arrives in the store',
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
      summary: 'the store has been out of reach for long',
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
      summary: 'the sync process was there and is gone',
    },
    {
      ...whenPositive('quarantine', 'critical', 'segments', 0, 0),
      value: ({ quarantinedSegments }) => quarantinedSegments,
      summary: 'segments were damaged and lie in quarantine/',
    },
    {
      ...whenPositive('segment_parked', 'critical', 'segments', 0, 0),
      value: ({ parkedSegments }) => parkedSegments,
      summary: 'the store refuses segments for good',
    },
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
      summary: 'what is recorded looks wrong by a rule in anomaly.rules',
    },
  ];
}

function whenPositive(
  id: AlertId,
  severity: AlertSeverity,
  unit: string,
  raiseAfterMs: number,
  clearAfterMs: number,
): Omit<AlertRule, 'value' | 'summary'> {
  return { id, severity, unit, bad: 'above', raise: 0, clear: 0, raiseAfterMs, clearAfterMs };
}
