import { matches } from '../name-pattern.js';
import { present } from '../present.js';
import type { Alternative, Condition, HourWindow } from './condition.js';
import type { Fact, NetworkFacts } from './facts.js';
import { compares, comparisonText, type FieldComparison } from './topic-condition.js';
import { currentValues, type TopicFacts, type TopicValue } from './topic-values.js';

/** What the conditions are judged by. */
export interface SendFacts extends NetworkFacts {
  /** Minutes since local midnight. */
  readonly minute: number;
  readonly topics: TopicFacts;
}

/** `unknown` counts as not met. */
export type ConditionState = 'met' | 'unmet' | 'unknown';

export interface JudgedCondition {
  readonly condition: string;
  /** Index in `sync.when`. */
  readonly alternative: number;
  readonly state: ConditionState;
  /** What is known about it, in words. */
  readonly reason: string;
}

export interface Verdict {
  /** All conditions of one alternative are met, or there is no alternative. */
  readonly met: boolean;
  readonly conditions: readonly JudgedCondition[];
}

/** Judges all alternatives. */
export function judge(alternatives: readonly Alternative[], facts: SendFacts): Verdict {
  const conditions = alternatives.flatMap(({ conditions: all }, alternative) =>
    all.map((one) => ({ condition: one.text, alternative, ...judgeOne(one, facts) })),
  );
  const isMet = (alternative: number): boolean =>
    conditions.every((one) => one.alternative !== alternative || one.state === 'met');
  return { met: alternatives.length === 0 || alternatives.some((_, index) => isMet(index)), conditions };
}

/** Which conditions keep segments waiting, in words; alternatives are joined by "or". */
export function reasonOf({ conditions }: Verdict): string {
  const groups = new Map<number, string[]>();
  for (const { alternative, state, condition, reason } of conditions) {
    if (state === 'met') continue;
    const group = groups.get(alternative) ?? [];
    group.push(`${condition} (${reason})`);
    groups.set(alternative, group);
  }
  return [...groups.values()].map((group) => group.join(' and ')).join(', or ');
}

interface Judgement {
  readonly state: ConditionState;
  readonly reason: string;
}

function judgeOne(condition: Condition, facts: SendFacts): Judgement {
  switch (condition.kind) {
    case 'interface':
      return judgeFact(
        facts.interface,
        (name) => name !== '' && matches(condition.patterns, name),
        (name) => (name === '' ? 'no default route' : `the default route is ${name}`),
      );
    case 'ssid':
      return judgeFact(
        facts.ssid,
        (ssid) => ssid !== '' && matches(condition.patterns, ssid),
        (ssid) => (ssid === '' ? 'no Wi-Fi' : `Wi-Fi ${ssid}`),
      );
    case 'metered':
      return judgeFact(
        facts.metered,
        (metered) => metered === condition.metered,
        (metered) => (metered ? 'the link is metered' : 'the link is not metered'),
      );
    case 'link_rate':
      return judgeFact(
        facts.linkBitsPerS,
        (bitsPerS) => bitsPerS >= condition.bitsPerS,
        (bitsPerS) => `the link runs at ${bitsPerS / 1e6} Mbit/s`,
      );
    case 'hours': {
      const isInside = condition.windows.some((window) => isWithin(window, facts.minute));
      return { state: isInside ? 'met' : 'unmet', reason: `it is ${clockText(facts.minute)}` };
    }
    case 'topic':
      return judgeTopic(condition.comparison, facts.topics);
  }
}

/** Every robot that has the topic must meet it: the link is theirs together. */
function judgeTopic(comparison: FieldComparison, topics: TopicFacts): Judgement {
  const values = currentValues(topics, comparison);
  if ('unknown' in values) return { state: 'unknown', reason: `unknown: ${values.unknown}` };
  const judgements = values.value.map((value) => judgeValue(comparison, value));
  return judgements.find(({ state }) => state !== 'met') ?? present(judgements[0]);
}

function judgeValue(comparison: FieldComparison, { value, meets }: TopicValue): Judgement {
  const of = `${comparison.field} of ${comparison.topic}`;
  if (value !== undefined) {
    const reason = `${of} is ${String(value)}`;
    const isMet = compares(comparison, value);
    if (isMet === undefined) return { state: 'unknown', reason: `unknown: ${reason}` };
    return { state: isMet ? 'met' : 'unmet', reason };
  }
  // The value is not on the disk (encryption.at_rest_key).
  const text = comparisonText(comparison);
  const isMet = meets?.[text];
  if (isMet === undefined)
    return { state: 'unknown', reason: `unknown: ${of} was not compared with ${text}` };
  return isMet
    ? { state: 'met', reason: `${of} is ${text}` }
    : { state: 'unmet', reason: `${of} is not ${text}` };
}

function judgeFact<T>(fact: Fact<T>, isMet: (value: T) => boolean, say: (value: T) => string): Judgement {
  if ('unknown' in fact) return { state: 'unknown', reason: `unknown: ${fact.unknown}` };
  return { state: isMet(fact.value) ? 'met' : 'unmet', reason: say(fact.value) };
}

/** The end does not belong to the window. */
function isWithin({ from, to }: HourWindow, minute: number): boolean {
  return from < to ? from <= minute && minute < to : from <= minute || minute < to;
}

function clockText(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}
