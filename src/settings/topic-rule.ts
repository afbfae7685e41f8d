import { parseRegex } from '../core/regex.js';
import type { Priority, QueuePolicy } from '../core/message.js';
import type { TopicRule } from './recorder-options.js';
import { parseBytes } from './units.js';

const priorities: readonly Priority[] = ['high', 'normal', 'low'];
const policies: readonly QueuePolicy[] = ['drop-oldest', 'drop-newest', 'block'];

export const TOPIC_RULE_FORM =
  'REGEX followed by one or more of priority=high|normal|low, policy=drop-oldest|drop-newest|block, ' +
  'queue=BYTES, max_hz=0.001 to 1000000, every=1 to 1000000, segment=NAME (up to 32 of a to z, 0 to 9, _ and -), for example ' +
  '"/camera/ priority=low policy=drop-oldest queue=32MiB max_hz=10"';

const HZ_MIN = 0.001;
const HZ_MAX = 1_000_000;
const EVERY_MAX = 1_000_000;
/** As in names of folders and bags. */
const SEGMENT_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Parses one rule of the form {@link TOPIC_RULE_FORM}; `undefined` if it has another form. */
export function parseTopicRule(text: string): TopicRule | undefined {
  const [pattern, ...settings] = text.trim().split(/\s+/);
  const topics = parseRegex(pattern ?? '');
  if (!topics || settings.length === 0) return undefined;
  let rule: TopicRule = { topics };
  for (const setting of settings) {
    const next = withSetting(rule, setting);
    if (!next) return undefined;
    rule = next;
  }
  return Object.freeze(rule);
}

function withSetting(rule: TopicRule, setting: string): TopicRule | undefined {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  if (name === 'priority' && rule.priority === undefined) {
    const priority = priorities.find((one) => one === value);
    return priority && { ...rule, priority };
  }
  if (name === 'policy' && rule.policy === undefined) {
    const policy = policies.find((one) => one === value);
    return policy && { ...rule, policy };
  }
  if (name === 'queue' && rule.queueMaxBytes === undefined) {
    const queueMaxBytes = parseBytes(value);
    return queueMaxBytes === undefined || queueMaxBytes === 0 ? undefined : { ...rule, queueMaxBytes };
  }
  if (name === 'max_hz' && rule.maxHz === undefined) {
    const maxHz = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : NaN;
    return maxHz >= HZ_MIN && maxHz <= HZ_MAX ? { ...rule, maxHz } : undefined;
  }
  if (name === 'every' && rule.every === undefined) {
    const every = /^\d+$/.test(value) ? Number(value) : 0;
    return every >= 1 && every <= EVERY_MAX ? { ...rule, every } : undefined;
  }
  if (name === 'segment' && rule.segment === undefined) {
    return SEGMENT_NAME.test(value) ? { ...rule, segment: value } : undefined;
  }
  return undefined;
}
