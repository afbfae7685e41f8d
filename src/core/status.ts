import type { Described } from './documents/described.js';
import type { recorderStatusSchema, robotStatusSchema, topicStatsSchema } from './status-schema.js';
import type {
  sendPolicySchema,
  sinkStatusSchema,
  syncAlarmSchema,
  syncStatusSchema,
} from './sync-status-schema.js';

/**
 * The recorder's status. Rates are over the last second; times are decimal nanoseconds since the Unix epoch,
 * so that the object is plain JSON. `status-schema.ts` describes each member.
 */
export type RecorderStatus = Described<typeof recorderStatusSchema>;

/** What the anomaly rules saw since the start; numbers only grow. */
export type AnomalyStatus = NonNullable<RecorderStatus['anomalies']>;

export type SourceStatus = RecorderStatus['sources'][number];

export type RobotStatus = Described<typeof robotStatusSchema>;

/** One channel as the recorder sees it now; rates are over the last second. */
export type TopicStats = Described<typeof topicStatsSchema>;

/** The status of sync; mirrors `holdfast/msg/SyncStatus`. */
export type SyncStatus = Described<typeof syncStatusSchema>;

export type SyncAlarm = Described<typeof syncAlarmSchema>;

/** What the send policy of a sink says, and what waits for it. */
export type SendPolicyStatus = Described<typeof sendPolicySchema>;

/** One of several targets of the segments. */
export type SinkStatus = Described<typeof sinkStatusSchema>;
