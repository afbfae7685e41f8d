import type { AnomalyRule } from '../parameters/anomaly-rule.js';

/** What the recorder looks for in what it records, and what it does then. Without rules: nothing. */
export interface AnomalyOptions {
  readonly rules: readonly AnomalyRule[];
  /** The window that is marked around an anomaly. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** After a mark, the same rule marks nothing of the same topic for so long. */
  readonly cooldownMs: number;
  /** All rules together; 0: anomalies are counted and logged, and nothing is marked. */
  readonly maxMarksPerHour: number;
  /** Time for looking into messages in each second; what exceeds it is skipped and counted. */
  readonly budgetMs: number;
}

/** Each rule is a label of a metric. */
export const MAX_ANOMALY_RULES = 32;
