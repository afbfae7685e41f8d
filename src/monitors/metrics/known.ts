import type { StatusDocument } from '../live/watch.js';
import type { TopicCounts } from './top-topics.js';

/** The values that metrics are read from. */
export interface Known {
  readonly status: StatusDocument;
  readonly topics: readonly TopicCounts[];
  readonly quarantined: number;
  readonly clients: { readonly web: number; readonly foxglove: number };
  /** CPU this process has used, seconds. */
  readonly cpuSeconds: number;
}
