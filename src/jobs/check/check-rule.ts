import { matches } from '../../recordings/message-filter.js';
import type { CheckKind, SettingsOf } from './rule-settings.js';

/** `error`: the recording fails. `warn`: the finding is only reported. */
export type CheckSeverity = 'error' | 'warn';

/** The topics of a rule; an absent list means all, `*` in a name stands for any text. */
export interface RuleScope {
  readonly robots?: readonly string[];
  readonly topics?: readonly string[];
  readonly exceptTopics?: readonly string[];
  readonly types?: readonly string[];
}

/** One rule, read. */
export type CheckRule = {
  readonly [K in CheckKind]: {
    readonly name: string;
    readonly check: K;
    readonly severity: CheckSeverity;
    readonly scope: RuleScope;
    readonly settings: SettingsOf<K>;
  };
}[CheckKind];

export type RuleOf<K extends CheckKind> = Extract<CheckRule, { check: K }>;

/** A topic of a robot; the robot is '' if it is unknown. */
export interface TopicName {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
}

export function isInScope({ robots, topics, exceptTopics, types }: RuleScope, name: TopicName): boolean {
  return (
    matches(robots, name.robot) &&
    matches(topics, name.topic) &&
    matches(types, name.type) &&
    !(exceptTopics !== undefined && matches(exceptTopics, name.topic))
  );
}

/** The topic without the robot before it, which robots of one kind have in common. */
export function relativeTopic({ robot, topic }: Pick<TopicName, 'robot' | 'topic'>): string {
  const prefix = `/${robot}/`;
  return robot !== '' && topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
}
