import { documentKind } from './documents/document.js';
import { gapSchema } from './documents/gap-schema.js';

/** Why messages are missing from the recording. The texts are stable: every format contains them. */
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
  'not_received',
  'corrupt',
  'invalid_message',
  'paused',
  'evicted',
  // Not a loss: left out on request, by a rule.
  'decimated',
  // Not a loss: removed from the recording by holdfast delete.
  'deleted',
] as const;

/** A reason of a gap. */
export type GapReason = (typeof gapReasons)[number];

/** The reasons of gaps that are no loss: somebody asked for them. */
export const requestedReasons: ReadonlySet<string> = new Set<GapReason>(['decimated', 'deleted']);

/**
 * The durable record of messages that are not in the recording. Written into the WAL, into MCAP as a
 * metadata record named `holdfast_gap`, and into the manifest's list.
 */
export interface Gap {
  /** Unique and stable: a gap that is written twice counts once. */
  readonly id: string;
  /** Why the messages are missing. */
  readonly reason: GapReason;
  /** The robot they belong to. */
  readonly robot: string;
  /** Absent: all topics of the robot. */
  readonly topic?: string;
  /** Messages lost; absent: unknown. */
  readonly count?: number;
  /** Payload bytes lost; absent: unknown. */
  readonly bytes?: number;
  /** Nanoseconds since the Unix epoch of the first and last lost message, or the bounds of the interval. */
  readonly firstTime?: bigint;
  /** See {@link firstTime}. */
  readonly lastTime?: bigint;
  /** The source's own numbers of the lost messages, inclusive, if the source numbers messages. */
  readonly firstSourceSequence?: number;
  /** See {@link firstSourceSequence}. */
  readonly lastSourceSequence?: number;
  /**
   * Every message of the topic up to this source number is durable or in a gap. After a kill, the loss is
   * counted from here.
   */
  readonly settledThrough?: number;
  /** A sentence for a person. */
  readonly detail?: string;
}

/** A gap as JSON: each bigint is a decimal string. */
export type GapJson = Omit<Gap, 'firstTime' | 'lastTime'> & {
  /** Decimal nanoseconds since the Unix epoch. */
  firstTime?: string;
  /** Decimal nanoseconds since the Unix epoch. */
  lastTime?: string;
};

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

/** Gaps as the metadata records of MCAP files hold them. */
export const gapDocuments = documentKind<GapJson>('gap', gapSchema);
