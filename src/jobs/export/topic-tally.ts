import { leftOverReason } from '../../core/ros/cdr-kind.js';

/** The exported messages of one topic of one robot. */
export interface TopicTally {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  /** Number of messages in the output. */
  messages: number;
  /** Those of them kept as payload because they could not be decoded. */
  kept_raw: number;
  /** Messages left out because they could not be decoded. */
  undecoded: number;
  /** Messages with bytes left over after their last field: they were written with another definition. */
  left_over: number;
  /** The first reason. */
  reason?: string;
  /** Left out by `--every`. */
  thinned_out: number;
  /** Log times, decimal nanoseconds since the Unix epoch. */
  first?: string;
  last?: string;
}

export function newTally(robot: string, topic: string, type: string, encoding: string): TopicTally {
  return {
    robot,
    topic,
    type,
    encoding,
    messages: 0,
    kept_raw: 0,
    undecoded: 0,
    left_over: 0,
    thinned_out: 0,
  };
}

export function tallyKey({ robot, topic, type, encoding }: TopicTally): string {
  return JSON.stringify([robot, topic, type, encoding]);
}

/** What a sink wrote of each topic since the last window. */
export class TopicTallies {
  readonly #tallies = new Map<string, TopicTally>();

  of(robot: string, { topic, schema, encoding }: TalliedChannel): TopicTally {
    const fresh = newTally(robot, topic, schema.name, encoding);
    const key = tallyKey(fresh);
    const known = this.#tallies.get(key);
    if (known === undefined) this.#tallies.set(key, fresh);
    return known ?? fresh;
  }

  /** In the order in which they were first requested. */
  all(): TopicTally[] {
    return [...this.#tallies.values()];
  }

  /** Returns the same, and starts from empty. */
  take(): TopicTally[] {
    const all = this.all();
    this.#tallies.clear();
    return all;
  }
}

/** The facts of a channel that identify a tally. */
export interface TalliedChannel {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: { readonly name: string };
}

/** Counts a message with this many bytes left over. */
export function countLeftOver(tally: TopicTally, bytes: number): void {
  if (bytes === 0) return;
  tally.left_over++;
  tally.reason ??= leftOverReason(bytes);
}

/** Adds the counts of another step for the same topic. */
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
  known.left_over += tally.left_over;
  known.thinned_out += tally.thinned_out;
  if (known.reason === undefined && tally.reason !== undefined) known.reason = tally.reason;
  if (tally.first !== undefined && (known.first === undefined || BigInt(tally.first) < BigInt(known.first))) {
    known.first = tally.first;
  }
  if (tally.last !== undefined && (known.last === undefined || BigInt(tally.last) > BigInt(known.last))) {
    known.last = tally.last;
  }
}
