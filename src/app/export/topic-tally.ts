/** What was exported of one topic of one robot. */
export interface TopicTally {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  /** Messages in the output. */
  messages: number;
  /** Of them, those kept as payload because they could not be decoded. */
  kept_raw: number;
  /** Messages that are not in the output because they could not be decoded. */
  undecoded: number;
  /** The first reason. */
  reason?: string;
  /** Left out by `--every`. */
  thinned_out: number;
  /** Log times, decimal nanoseconds since the Unix epoch. */
  first?: string;
  last?: string;
}

export function newTally(robot: string, topic: string, type: string, encoding: string): TopicTally {
  return { robot, topic, type, encoding, messages: 0, kept_raw: 0, undecoded: 0, thinned_out: 0 };
}

export function tallyKey({ robot, topic, type, encoding }: TopicTally): string {
  return JSON.stringify([robot, topic, type, encoding]);
}

/** Adds what another step exported of the same topic. */
export function addTally(into: Map<string, TopicTally>, tally: TopicTally): void {
  const key = tallyKey(tally);
  const known = into.get(key);
  if (known === undefined) {
    into.set(key, { ...tally });
    return;
  }
  known.messages += tally.messages;
  known.kept_raw += tally.kept_raw;
  known.undecoded += tally.undecoded;
  known.thinned_out += tally.thinned_out;
  if (known.reason === undefined && tally.reason !== undefined) known.reason = tally.reason;
  if (tally.first !== undefined && (known.first === undefined || BigInt(tally.first) < BigInt(known.first))) {
    known.first = tally.first;
  }
  if (tally.last !== undefined && (known.last === undefined || BigInt(tally.last) > BigInt(known.last))) {
    known.last = tally.last;
  }
}
