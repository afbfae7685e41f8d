import { parseAlternative } from './condition.js';
import type { SinkPolicyRecord } from './policy-record.js';
import { compares, comparisonText, type FieldComparison } from './topic-condition.js';
import type { TopicValue } from './topic-values.js';

/** The comparisons that the conditions make, each once. Conditions of a later version are skipped. */
export function comparisonsOf(sinks: readonly Pick<SinkPolicyRecord, 'when'>[]): readonly FieldComparison[] {
  const comparisons = new Map<string, FieldComparison>();
  for (const text of sinks.flatMap(({ when }) => when)) {
    for (const condition of parseAlternative(text)?.conditions ?? []) {
      if (condition.kind !== 'topic') continue;
      const { topic, field } = condition.comparison;
      comparisons.set(`${topic} ${field} ${comparisonText(condition.comparison)}`, condition.comparison);
    }
  }
  return [...comparisons.values()];
}

/** The same without values: only which comparisons each of them meets. */
export function onlyCompared(
  values: readonly TopicValue[],
  comparisons: readonly FieldComparison[],
): readonly TopicValue[] {
  return values.map(({ value, ...rest }) => {
    if (value === undefined) return rest;
    const meets: Record<string, boolean> = {};
    for (const comparison of comparisons) {
      if (comparison.topic !== rest.topic || comparison.field !== rest.field) continue;
      const isMet = compares(comparison, value);
      if (isMet !== undefined) meets[comparisonText(comparison)] = isMet;
    }
    return { ...rest, meets };
  });
}
