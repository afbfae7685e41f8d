import type { Gap, GapReason } from '../../core/gap.js';
import { numberingKey } from '../../core/message.js';
import type { FleetLedger } from '../../sources/sim/fleet-ledger.js';
import type { StoreCensus } from './store-census.js';

/**
 * What happened to the messages of one robot (or of all). sent = durable + dropped + lostInKill +
 * missedWhileDown + missing.
 */
export interface Account {
  sent: number;
  /** Received by a recorder, by its own confirmation to the fleet. */
  received: number;
  /** In the store, counted in the objects. */
  durable: number;
  dropped: number;
  lostInKill: number;
  missedWhileDown: number;
  /** Messages without an explanation. */
  missing: number;
  duplicates: number;
  readonly droppedByReason: Partial<Record<GapReason, number>>;
}

export interface FleetAccount {
  readonly total: Account;
  readonly robots: ReadonlyMap<string, Account>;
}

const emptyAccount = (): Account => ({
  sent: 0,
  received: 0,
  durable: 0,
  dropped: 0,
  lostInKill: 0,
  missedWhileDown: 0,
  missing: 0,
  duplicates: 0,
  droppedByReason: {},
});

/**
 * Compares the fleet's own count with the content of the store, number by number: every number sent on a
 * topic must be in the store, or in the range of a gap that says why not.
 */
export function balance(ledger: FleetLedger, census: StoreCensus): FleetAccount {
  const gapsByTopic = new Map<string, Gap[]>();
  for (const gap of census.gaps) {
    if (gap.topic === undefined || gap.firstSourceSequence === undefined) continue;
    const key = numberingKey(gap.robot, gap.topic);
    gapsByTopic.set(key, [...(gapsByTopic.get(key) ?? []), gap]);
  }
  const robots = new Map<string, Account>();
  const total = emptyAccount();
  for (const channel of ledger.channels) {
    let robot = robots.get(channel.robot);
    if (!robot) robots.set(channel.robot, (robot = emptyAccount()));
    const key = numberingKey(channel.robot, channel.topic);
    const topic = census.topics.get(key);
    const gaps = gapsByTopic.get(key) ?? [];
    for (const account of [robot, total]) {
      account.sent += channel.produced;
      account.received += channel.delivered;
      account.duplicates += topic?.duplicates ?? 0;
    }
    for (let number = 1; number <= channel.produced; number++) {
      const reason = topic?.seen.has(number) ? undefined : reasonFor(number, gaps);
      count(robot, topic?.seen.has(number) ?? false, reason);
      count(total, topic?.seen.has(number) ?? false, reason);
    }
  }
  return { total, robots };
}

function reasonFor(number: number, gaps: readonly Gap[]): GapReason | undefined {
  return gaps.find(
    ({ firstSourceSequence, lastSourceSequence }) =>
      number >= (firstSourceSequence ?? Infinity) && number <= (lastSourceSequence ?? -Infinity),
  )?.reason;
}

function count(account: Account, durable: boolean, reason: GapReason | undefined): void {
  if (durable) account.durable++;
  else if (reason === undefined) account.missing++;
  else if (reason === 'lost_in_kill') account.lostInKill++;
  else if (reason === 'missed_while_down') account.missedWhileDown++;
  else {
    account.dropped++;
    account.droppedByReason[reason] = (account.droppedByReason[reason] ?? 0) + 1;
  }
}
