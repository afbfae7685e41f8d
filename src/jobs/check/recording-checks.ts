import { defined } from '../../core/defined.js';
import { matches } from '../../recordings/message-filter.js';
import {
  isInScope,
  relativeTopic,
  type CheckRule,
  type RuleOf,
  type RuleScope,
  type TopicName,
} from './check-rule.js';
import { time, type RecordingFacts, type TopicFacts } from './recording-facts.js';
import { checkTimeSync } from './time-sync.js';
import type { TellOf } from './tell.js';
import { short } from './topic-check.js';

/** Checks the recording as a whole, after all of it was read. */
export function checkRecording(rule: CheckRule, facts: RecordingFacts, tell: TellOf): void {
  switch (rule.check) {
    case 'missing': {
      if (rule.settings.expect.length > 0) checkExpected(rule, facts, tell);
      else checkLikeTheOthers(rule, facts, tell);
      return;
    }
    case 'time_sync': {
      checkTimeSync(rule, facts, tell);
      return;
    }
    case 'clock_steps': {
      checkClockSteps(rule, facts, tell);
      return;
    }
    case 'gaps': {
      checkGaps(rule, facts, tell);
      return;
    }
    case 'unclean_end':
      for (const { robot, where, at } of facts.uncleanEnds) {
        if (!wantsRobot(rule.scope, robot)) continue;
        const text = `${where} was not ended by its recorder`;
        tell({ robot }, { ...(at === undefined ? {} : { from: at, to: at }), text });
      }
      return;
    case 'damage':
      for (const { where, reason } of facts.problems) {
        tell({ robot: '' }, { text: reason.startsWith(where) ? reason : `${where}: ${reason}` });
      }
      return;
    case 'rate':
    case 'silence':
    case 'stamps':
    case 'log_time':
    case 'latency':
    case 'stuck':
    case 'not_finite':
    case 'limit':
    case 'outlier':
    case 'frozen':
    case 'undecodable':
      // Checked per topic, while it was read.
      return;
  }
}

/** A rule about certain topics still applies to their robot. */
function wantsRobot({ robots }: RuleScope, robot: string): boolean {
  return matches(robots, robot);
}

function withMessages(facts: RecordingFacts, scope: RuleScope): TopicFacts[] {
  return facts.topics.filter((topic) => topic.messages > 0 && isInScope(scope, topic));
}

/** `{robot}` in a pattern stands for each robot; a robot named without a star is itself expected. */
function checkExpected({ settings, scope }: RuleOf<'missing'>, facts: RecordingFacts, tell: TellOf): void {
  const topics = withMessages(facts, scope);
  const named = (scope.robots ?? []).filter((robot) => !robot.includes('*'));
  const present = facts.topics.map(({ robot }) => robot).filter((robot) => wantsRobot(scope, robot));
  const perRobot = settings.expect.filter((pattern) => pattern.includes('{robot}'));
  for (const robot of new Set([...named, ...present.filter((robot) => robot !== '')])) {
    for (const pattern of perRobot) expect(robot, pattern.replaceAll('{robot}', robot), topics, tell);
  }
  const robots = named.length > 0 ? named : [''];
  for (const pattern of settings.expect) {
    if (perRobot.includes(pattern)) continue;
    for (const robot of robots) expect(robot, pattern, topics, tell);
  }
}

function expect(robot: string, pattern: string, topics: readonly TopicName[], tell: TellOf): void {
  const isThere = topics.some(
    (one) => (robot === '' || one.robot === robot) && matches([pattern], one.topic),
  );
  if (!isThere) tell({ robot, topic: pattern }, { text: 'no message' });
}

/**
 * A topic that most robots of the recording have and one lacks. Namespaces with less than half of the usual
 * topics are not robots of this kind.
 */
function checkLikeTheOthers({ scope }: RuleOf<'missing'>, facts: RecordingFacts, tell: TellOf): void {
  const byRobot = new Map<string, Set<string>>();
  for (const one of withMessages(facts, scope)) {
    if (one.robot === '' || one.topic === relativeTopic(one)) continue;
    const topics = byRobot.get(one.robot) ?? new Set();
    byRobot.set(one.robot, topics.add(relativeTopic(one)));
  }
  const usual = [...topicOwners(byRobot)].filter(([, owners]) => owners > 1).map(([topic]) => topic);
  for (const [robot, topics] of byRobot) {
    if (2 * usual.filter((topic) => topics.has(topic)).length < usual.length) byRobot.delete(robot);
  }
  const others = byRobot.size - 1;
  for (const [topic, owners] of topicOwners(byRobot)) {
    if (owners > others || 2 * owners <= others) continue;
    for (const [robot, topics] of byRobot) {
      if (topics.has(topic)) continue;
      const text = `no message, though ${owners} of the ${others} other robots have it`;
      tell({ robot, topic: `/${robot}/${topic}` }, { text });
    }
  }
}

function topicOwners(byRobot: ReadonlyMap<string, ReadonlySet<string>>): Map<string, number> {
  const owners = new Map<string, number>();
  for (const topics of byRobot.values()) {
    for (const topic of topics) owners.set(topic, (owners.get(topic) ?? 0) + 1);
  }
  return owners;
}

function checkClockSteps(
  { settings, scope }: RuleOf<'clock_steps'>,
  facts: RecordingFacts,
  tell: TellOf,
): void {
  for (const { robot, at, stepNs } of facts.clockSteps) {
    const value = Number(stepNs) / 1e6;
    if (Math.abs(value) <= settings.max_ms || !wantsRobot(scope, robot)) continue;
    const text = `the clock was set ${value < 0 ? 'back' : 'forward'} by ${short(Math.abs(value))} ms`;
    tell({ robot }, { from: at, to: at, value, limit: settings.max_ms, text });
  }
}

/** The gaps of one topic and reason. */
interface GapSum {
  readonly robot: string;
  readonly topic: string | undefined;
  readonly reason: string;
  gaps: number;
  messages: number;
  unknown: number;
  from?: bigint;
  to?: bigint;
}

/** Messages that are missing by the recording's own gaps. */
function checkGaps({ settings, scope }: RuleOf<'gaps'>, facts: RecordingFacts, tell: TellOf): void {
  const known = new Map(facts.topics.map((one) => [JSON.stringify([one.robot, one.topic]), one]));
  const sums = new Map<string, GapSum>();
  for (const { robot, topic, reason, count, firstTime, lastTime } of facts.gaps) {
    if (settings.except_reasons.includes(reason)) continue;
    const type = known.get(JSON.stringify([robot, topic]))?.type ?? '';
    const isWanted =
      topic === undefined ? wantsRobot(scope, robot) : isInScope(scope, { robot, topic, type });
    if (!isWanted) continue;
    const key = JSON.stringify([robot, topic, reason]);
    const sum = sums.get(key) ?? { robot, topic, reason, gaps: 0, messages: 0, unknown: 0 };
    sums.set(key, sum);
    sum.gaps++;
    sum.messages += count ?? 0;
    if (count === undefined) sum.unknown++;
    const [from, to] = [time(firstTime), time(lastTime ?? firstTime)];
    if (from !== undefined && (sum.from === undefined || from < sum.from)) sum.from = from;
    if (to !== undefined && (sum.to === undefined || to > sum.to)) sum.to = to;
  }
  for (const sum of sums.values()) {
    const { robot, topic, reason, gaps, messages, unknown, from, to } = sum;
    const there = facts.topics
      .filter((one) => one.robot === robot && (topic === undefined || one.topic === topic))
      .reduce((total, one) => total + one.messages, 0);
    const percent = (100 * messages) / Math.max(1, messages + there);
    const isMore = messages > settings.max_messages && percent > settings.max_percent;
    if (!isMore && unknown === 0) continue;
    const lost =
      unknown === gaps ? 'an unknown number of messages' : `${messages} messages (${short(percent)} %)`;
    const more = unknown > 0 && unknown < gaps ? ' and an unknown number more' : '';
    const text = `${lost}${more} not recorded in ${gaps === 1 ? '1 gap' : `${gaps} gaps`}: ${reason}`;
    tell(
      { robot, ...defined({ topic }) },
      {
        ...defined({ from, to }),
        count: messages,
        value: messages,
        limit: settings.max_messages,
        text,
      },
    );
  }
  if (facts.moreGaps > 0) tell({ robot: '' }, { text: `${facts.moreGaps} more gaps are recorded` });
}
