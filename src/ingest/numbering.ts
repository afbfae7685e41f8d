import { defined } from '../core/defined.js';
import type { GapReason } from '../core/gap.js';
import type { Numbering, SourceGap } from '../core/source.js';

/** What is known about a topic's numbers before a (re)connection. */
export interface KnownNumbers {
  /** Last number received in this process; undefined: none yet. */
  readonly received: number | undefined;
  /** Number up to which everything is durable or in a gap, from earlier processes; 0: none. */
  readonly settled: number;
  /** The previous process was killed (or lost power). */
  readonly afterKill: boolean;
}

/**
 * The gaps that a numbering source's (re)connection proves. Messages that were delivered and are not here
 * were lost in the kill (or in transit, while this process lived). Messages that were published while the
 * recorder was not connected were missed.
 */
export function numberingGaps(event: Numbering, known: KnownNumbers): SourceGap[] {
  const have = Math.max(known.received ?? 0, known.settled);
  const lostReason: GapReason =
    known.received !== undefined ? 'source_lost' : known.afterKill ? 'lost_in_kill' : 'missed_while_down';
  const gaps: SourceGap[] = [];
  const add = (reason: GapReason, first: number, last: number, lastTime: bigint | undefined): void => {
    if (last < first) return;
    const { robot, topic } = event.channel;
    gaps.push({
      kind: 'gap',
      gap: {
        reason,
        robot,
        topic,
        count: last - first + 1,
        firstSourceSequence: first,
        lastSourceSequence: last,
        settledThrough: last,
        ...defined({ lastTime }),
      },
    });
  };
  add(lostReason, have + 1, event.delivered, event.deliveredAt);
  add('missed_while_down', Math.max(have, event.delivered) + 1, event.next - 1, event.nextAt);
  return gaps;
}

/** The gap between two consecutive numbers of one connection, or undefined without a gap. */
export function jumpGap(
  channel: Numbering['channel'],
  previous: number,
  current: number,
  receivedAt: bigint,
): SourceGap | undefined {
  if (previous < 0 || current <= previous + 1) return undefined;
  return {
    kind: 'gap',
    gap: {
      reason: 'source_lost',
      robot: channel.robot,
      topic: channel.topic,
      count: current - previous - 1,
      lastTime: receivedAt,
      firstSourceSequence: previous + 1,
      lastSourceSequence: current - 1,
    },
  };
}
