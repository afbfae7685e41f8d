import type { OutboxStatus } from './outbox.js';
import type { SamplerStats } from './telemetry-sampler.js';

/** What the uplink of one robot does, since its start. */
export interface UplinkStatus extends SamplerStats, OutboxStatus {
  readonly robot: string;
  /** `open`: telemetry is sent. `waiting`: the last attempt failed, and another one follows. */
  readonly state: 'connecting' | 'open' | 'waiting' | 'closed';
  /** Why it is waiting. */
  readonly reason: string;
  /** Sampled fields that do not leave, because of `sync.transform`. */
  readonly withheldFields: number;
  readonly connections: number;
  readonly sentFrames: number;
  readonly sentBytes: number;
  /** Of these, bytes of telemetry. */
  readonly telemetryBytes: number;
  /** Bytes of the same samples as Protocol Buffers messages of doubles, one for each sample. */
  readonly fullBytes: number;
  /** Bytes of the same samples as JSON objects, one for each sample. */
  readonly jsonBytes: number;
  /** Ticks whose sample was not sent: no connection, or a link that is too slow. */
  readonly unsentTicks: number;
  readonly sentReports: number;
}
