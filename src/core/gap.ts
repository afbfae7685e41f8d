/** Why messages are absent from the recording. Stable strings: they appear in every format. */
export const gapReasons = [
  'queue_full_drop_oldest',
  'queue_full_drop_newest',
  'memory_limit',
  'message_too_large',
  'commit_failed',
  'disk_full',
  'unclean_end',
  'lost_in_kill',
  'missed_while_down',
  'source_unreadable',
  'source_lost',
  'corrupt',
  'invalid_message',
  'paused',
  'evicted',
] as const;

export type GapReason = (typeof gapReasons)[number];

/**
 * The durable record of messages that are not in the recording. Written into the WAL, into MCAP as a
 * metadata record named `holdfast_gap`, and into the manifest's list.
 */
export interface Gap {
  /** Unique and stable: writing the same gap twice counts once. */
  readonly id: string;
  readonly reason: GapReason;
  readonly robot: string;
  /** Absent: all topics of the robot. */
  readonly topic?: string;
  /** Messages lost; absent: unknown. */
  readonly count?: number;
  /** Payload bytes lost; absent: unknown. */
  readonly bytes?: number;
  /** Nanoseconds since the Unix epoch of the first and last message lost, or the bounds of the interval. */
  readonly firstTime?: bigint;
  readonly lastTime?: bigint;
  /** The source's own numbers of the messages lost, inclusive, where it numbers them. */
  readonly firstSourceSequence?: number;
  readonly lastSourceSequence?: number;
  /**
   * Every message of the topic up to this source number is durable or accounted for by a gap: after a kill
   * the loss is counted from here.
   */
  readonly settledThrough?: number;
  /** A sentence for a person. */
  readonly detail?: string;
}

/** A gap as JSON: bigints as decimal strings. */
export type GapJson = Omit<Gap, 'firstTime' | 'lastTime'> & { firstTime?: string; lastTime?: string };

export function gapToJson(gap: Gap): GapJson {
  const { firstTime, lastTime, ...rest } = gap;
  return {
    ...rest,
    ...(firstTime === undefined ? {} : { firstTime: String(firstTime) }),
    ...(lastTime === undefined ? {} : { lastTime: String(lastTime) }),
  };
}

export function gapFromJson(json: GapJson): Gap {
  const { firstTime, lastTime, ...rest } = json;
  return {
    ...rest,
    ...(firstTime === undefined ? {} : { firstTime: BigInt(firstTime) }),
    ...(lastTime === undefined ? {} : { lastTime: BigInt(lastTime) }),
  };
}
