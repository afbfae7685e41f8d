import type { AnomalyRule } from './anomaly-rule.js';

/** What the recorder looks for in its messages, and what it does then. Without rules: nothing. */
export interface AnomalyOptions {
  readonly rules: readonly AnomalyRule[];
  /** The window that is marked around an anomaly. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** After a mark, the same rule marks nothing on the same topic for this long. */
  readonly cooldownMs: number;
  /** All rules together; 0: anomalies are counted and logged, and nothing is marked. */
  readonly maxMarksPerHour: number;
  /** Time for inspecting messages in each second; the rest is skipped and counted. */
  readonly budgetMs: number;
  /** The recording is encrypted: marks, log and status name rule and topic, and show no measured value. */
  readonly hidesValues: boolean;
}

/** Each rule is a label of a metric. */
export const MAX_ANOMALY_RULES = 32;
