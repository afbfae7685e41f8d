import { documentKind } from '../documents/document.js';
import { conditionValuesSchema } from '../documents/folder-schemas.js';
import type { Fact } from './facts.js';
import type { FieldValue, TopicField } from './topic-condition.js';

/** The recorder writes it into the data folder: the last values of the fields that conditions need. */
export const CONDITION_VALUES_FILE = 'condition-values.json';
/** Fields that the recorder follows; further ones stay unknown. */
export const CONDITION_FIELDS_MAX = 64;
/** A value this far in the future comes from a clock that was set back. */
const FUTURE_MAX_NS = 5_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** The last value of one field on one robot. */
export interface TopicValue extends TopicField {
  readonly robot: string;
  /** When it was received, or last known to be current; nanoseconds since the Unix epoch. */
  readonly at: string;
  /** Absent: the recorder says only what it `meets`, or the message could not be read, for this `problem`. */
  readonly value?: FieldValue;
  /**
   * Instead of the value if the recorder has a key at rest, so that no value lies readable on the disk: each comparison
   * of the conditions (`comparisonText`), and whether the value meets it. It lacks those with a value of another kind.
   */
  readonly meets?: Readonly<Record<string, boolean>>;
  readonly problem?: string;
}

export interface ConditionValues {
  readonly version: 1;
  readonly values: readonly TopicValue[];
}

/** Schema of {@link CONDITION_VALUES_FILE}. */
export const conditionValueFiles = documentKind<ConditionValues>('condition values', conditionValuesSchema);

/** What is known about the fields, and the moment at which it is judged. */
export interface TopicFacts {
  readonly values: Fact<readonly TopicValue[]>;
  readonly nowNs: bigint;
  readonly maxAgeMs: number;
}

/** The present values of a field, one for each robot that has the topic; or why they are unknown. Each has a value or `meets`. */
export function currentValues(
  { values, nowNs, maxAgeMs }: TopicFacts,
  { topic, field }: TopicField,
): Fact<readonly TopicValue[]> {
  if ('unknown' in values) return values;
  const own = values.value.filter((one) => one.topic === topic && one.field === field);
  if (own.length === 0) return { unknown: `the recorder has no message of ${topic}` };
  for (const { at, value, meets, problem } of own) {
    const ageNs = nowNs - BigInt(at);
    if (ageNs > BigInt(maxAgeMs) * NS_PER_MS) {
      return { unknown: `the last message of ${topic} is older than ${maxAgeMs / 1_000} s` };
    }
    if (ageNs < -FUTURE_MAX_NS) return { unknown: `the time of ${topic} is in the future` };
    if (value === undefined && meets === undefined)
      return { unknown: `${topic}: ${problem ?? 'not readable'}` };
  }
  return { value: own };
}
