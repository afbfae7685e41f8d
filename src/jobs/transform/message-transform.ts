import { createHmac } from 'node:crypto';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { TransformRule } from '../../core/transform/rule.js';
import { CdrRewriter, type HashText } from './cdr-rewriter.js';
import { appliesTo, checkWritable } from '../../recordings/rule-fit.js';
import { planOf, type FieldsPlan } from './field-plan.js';
import { rewriteJson } from './json-rewriter.js';
import { StageTallies } from './stage-tally.js';

/** Hex digits of a hash: 128 bits, so that two texts do not share one by chance. */
const HASH_DIGITS = 32;

/** What happens to the messages of a channel: `keep` and `drop` concern all of them. */
export type MessageTransform = 'keep' | 'drop' | ((data: Uint8Array) => Uint8Array);

/** HMAC-SHA-256 of a text. Without a key a hash of a name could be found by hashing all names. */
export function keyedHash(key: Uint8Array): HashText {
  return (text) => createHmac('sha256', key).update(text).digest('hex').slice(0, HASH_DIGITS);
}

/**
 * Compiles the rules for the messages of a channel, in their order. Throws `TRANSFORM_FAILED` if a rule cannot be
 * applied to this channel: nothing of it may then leave. The function that it returns throws the same for a message,
 * and counts what each rule did to it. With `drop`, the caller counts.
 */
export function compileTransform(
  channel: McapChannel,
  rules: readonly TransformRule[],
  hash: HashText,
  tallies = new StageTallies(),
): MessageTransform {
  const own = rules.filter(({ topics }) => topics.test(channel.topic));
  if (own.some(({ drop }) => drop === 'topic')) return 'drop';
  if (own.length === 0) return 'keep';
  const steps = own.map((rule) => {
    try {
      const tally = tallies.of(rule, channel.carried);
      return { rule, tally, step: stepOf(channel, rule, hash) };
    } catch (error) {
      throw transformFailed(rule, channel, error);
    }
  });
  return (data) => {
    let changed = data;
    for (const { rule, tally, step } of steps) {
      try {
        const before = changed;
        if (step) changed = step(before);
        tally.passed(before, changed);
      } catch (error) {
        throw transformFailed(rule, channel, error);
      }
    }
    return changed;
  };
}

/** Undefined: no field of the rule is in the messages. */
function stepOf(
  { encoding, schema }: McapChannel,
  rule: TransformRule,
  hash: HashText,
): ((data: Uint8Array) => Uint8Array) | undefined {
  if (encoding === 'json') {
    const plan = planOf(rule);
    return (data) => rewriteJson(data, plan, hash);
  }
  if (encoding !== 'cdr' || schema.encoding !== 'ros2msg') {
    throw new Error(
      `its messages are "${encoding}" with a schema "${schema.encoding}"; fields are changed in: json, and cdr with ros2msg`,
    );
  }
  const rewriter = new CdrRewriter(new TextDecoder().decode(schema.data), schema.name, hash);
  const plan = planOf(rule, (change) => appliesTo(change, rewriter.type));
  if (isEmpty(plan)) return undefined;
  checkWritable(rewriter.type);
  return (data) => rewriter.rewrite(data, plan);
}

function isEmpty({ fields, grids }: FieldsPlan): boolean {
  return fields.size === 0 && grids.length === 0;
}

/** The error for a rule that cannot be applied to messages of a channel. */
export function transformFailed(
  { text }: TransformRule,
  { topic, schema }: McapChannel,
  error: unknown,
): HoldfastError {
  const type = schema.name === '' ? '' : ` (${schema.name})`;
  return new HoldfastError(
    'TRANSFORM_FAILED',
    `the rule "${text}" of sync.transform cannot be applied to ${topic}${type}: ${describeError(error)}`,
    { facts: { rule: text, topic } },
  );
}
