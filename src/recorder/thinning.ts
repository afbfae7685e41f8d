import { NS_PER_S } from '../core/clock.js';
import type { Gap } from '../core/gap.js';
import type { Channel, Message } from '../core/message.js';
import type { TopicRule } from '../settings/recorder-options.js';
import { defined } from '../core/defined.js';
import { ThinningPace, type ThinningRule } from './thinning-pace.js';
import { TF_TYPE, transformPairs } from './transform-pairs.js';

/** Publishers and frame pairs of a topic that are told apart; messages of further ones are kept. */
const KNOWN_MAX = 10_000;
/** What is left out of a topic becomes one gap for this time: a record per commit would fill the manifest. */
const GAP_SPAN_NS = 10n * NS_PER_S;

interface LeftOut {
  count: number;
  bytes: number;
  readonly firstTime: bigint;
  lastTime: bigint;
  /** The source's number of the last one. */
  sequence: number | undefined;
}

interface Entry {
  readonly rule: ThinningRule;
  readonly pace: ThinningPace;
  readonly publishers: Set<string>;
  /** By frame pair, for transforms only. */
  readonly pairs: Map<string, ThinningPace> | undefined;
  leftOut: LeftOut | undefined;
}

/** The thinning of a topic, from the first rules that state it; undefined: everything is recorded. */
export function thinningOf(rules: readonly TopicRule[], topic: string): ThinningRule | undefined {
  const matching = rules.filter(({ topics }) => topics.test(topic));
  const maxHz = matching.find((rule) => rule.maxHz !== undefined)?.maxHz;
  const every = matching.find((rule) => rule.every !== undefined)?.every;
  if (maxHz === undefined && every === undefined) return undefined;
  const intervalNs = maxHz === undefined ? undefined : BigInt(Math.round(1e9 / maxHz));
  return defined({ intervalNs, every });
}

/**
 * Leaves messages of one source out by rule, before they are queued. The first message of each topic and of
 * each of its publishers is always kept, and so is every message of a latched topic. Transforms (`/tf`) are
 * thinned per frame pair: a message is kept unchanged if any of its pairs is due.
 */
export class Thinning {
  readonly #ruleOf: (topic: string) => ThinningRule | undefined;
  readonly #entries = new Map<Channel, Entry | null>();

  constructor(ruleOf: (topic: string) => ThinningRule | undefined) {
    this.#ruleOf = ruleOf;
  }

  /** Whether the message is recorded. One that is not is counted for the gap of its topic. */
  keeps(message: Message): boolean {
    const { channel } = message;
    let entry = this.#entries.get(channel);
    if (entry === undefined) this.#entries.set(channel, (entry = this.#entryOf(channel)));
    if (entry === null) return true;
    if (isKept(entry, message)) return true;
    leaveOut(entry, message);
    return false;
  }

  /** What is left out of the message's topic, once it spans some time. */
  dueGap(channel: Channel, isQueueEmpty: boolean): Omit<Gap, 'id'> | undefined {
    const entry = this.#entries.get(channel);
    const leftOut = entry?.leftOut;
    if (!entry || !leftOut || leftOut.lastTime - leftOut.firstTime < GAP_SPAN_NS) return undefined;
    entry.leftOut = undefined;
    return gapOf(channel, leftOut, isQueueEmpty);
  }

  /** What is left out of a topic that is gone. */
  forget(channel: Channel): Omit<Gap, 'id'> | undefined {
    const leftOut = this.#entries.get(channel)?.leftOut;
    this.#entries.delete(channel);
    return leftOut && gapOf(channel, leftOut, false);
  }

  /** The rules changed, or the source ends: everything left out so far. The next message of a topic is a first. */
  takeAll(): Omit<Gap, 'id'>[] {
    const gaps = [...this.#entries.keys()].map((channel) => this.forget(channel));
    return gaps.filter((gap) => gap !== undefined);
  }

  #entryOf(channel: Channel): Entry | null {
    const rule = channel.latched ? undefined : this.#ruleOf(channel.topic);
    if (rule === undefined) return null;
    return {
      rule,
      pace: new ThinningPace(),
      publishers: new Set(),
      pairs: channel.schema.name === TF_TYPE ? new Map<string, ThinningPace>() : undefined,
      leftOut: undefined,
    };
  }
}

function isKept(entry: Entry, message: Message): boolean {
  const { rule, publishers, pairs } = entry;
  const at = message.receivedAt;
  const paces = pairs === undefined ? [entry.pace] : pacesOf(pairs, message);
  const publisher = message.publisher ?? '';
  const isFirst = !publishers.has(publisher);
  if (isFirst && publishers.size < KNOWN_MAX) publishers.add(publisher);
  if (isFirst || paces === undefined || paces.length === 0 || paces.some((pace) => pace.isDue(at, rule))) {
    for (const pace of paces ?? []) pace.keep(at, rule);
    return true;
  }
  for (const pace of paces) pace.skip();
  return false;
}

/** Of each frame pair of the message; undefined: they cannot be told apart, so the message is kept. */
function pacesOf(pairs: Map<string, ThinningPace>, message: Message): readonly ThinningPace[] | undefined {
  const names = transformPairs(message);
  if (names === undefined) return undefined;
  const paces: ThinningPace[] = [];
  for (const name of new Set(names)) {
    let pace = pairs.get(name);
    if (pace === undefined) {
      if (pairs.size >= KNOWN_MAX) return undefined;
      pairs.set(name, (pace = new ThinningPace()));
    }
    paces.push(pace);
  }
  return paces;
}

function leaveOut(entry: Entry, { receivedAt, data, sourceSequence }: Message): void {
  entry.leftOut ??= { count: 0, bytes: 0, firstTime: receivedAt, lastTime: receivedAt, sequence: undefined };
  const { leftOut } = entry;
  leftOut.count++;
  leftOut.bytes += data.byteLength;
  if (receivedAt > leftOut.lastTime) leftOut.lastTime = receivedAt;
  leftOut.sequence = sourceSequence ?? leftOut.sequence;
}

/** @param isQueueEmpty no earlier message of the topic waits: its numbers are settled up to here */
function gapOf(channel: Channel, leftOut: LeftOut, isQueueEmpty: boolean): Omit<Gap, 'id'> {
  const { sequence, ...rest } = leftOut;
  const { robot, topic } = channel;
  return {
    reason: 'decimated',
    robot,
    topic,
    ...rest,
    ...defined({ settledThrough: isQueueEmpty ? sequence : undefined }),
    detail: 'left out by a rule (max_hz, every)',
  };
}
