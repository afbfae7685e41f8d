import { documentKind } from '../documents/document.js';
import { sendPolicySchema } from '../documents/folder-schemas.js';
import { parseTransformRule, type TransformRule } from '../transform/rule.js';
import { parseAlternative } from './condition.js';
import type { TopicField } from './topic-condition.js';

/** Sync writes it into the data folder: what it sends, when, how much and for whom. The recorder reads it. */
export const SEND_POLICY_FILE = 'send-policy.json';

/** The policy in force of one sink. */
export interface SinkPolicyRecord {
  readonly name: string;
  /** As in `sync.upload`. */
  readonly upload: string;
  /** As in `sync.when`; empty: at any time. */
  readonly when: readonly string[];
  /** 0: any number. */
  readonly budgetBytesPerDay: number;
  /** As in `sync.pass`. */
  readonly pass: readonly string[];
  /** Public keys, and names of symmetric ones; empty: what this sink sends is not encrypted by sync. */
  readonly recipients: readonly string[];
  /** As in `sync.transform`; absent: this sink sends segments as they were sealed. */
  readonly transform?: readonly string[];
}

export interface SendPolicyFile {
  readonly version: 1;
  /** Age at which a value of a topic counts as unknown. */
  readonly topicMaxAgeMs: number;
  readonly sinks: readonly SinkPolicyRecord[];
}

/** Schema of {@link SEND_POLICY_FILE}. */
export const sendPolicyFiles = documentKind<SendPolicyFile>('send policy', sendPolicySchema);

/** The fields of topics that the conditions need, each once. Conditions of a later version are skipped. */
export function fieldsOf(sinks: readonly Pick<SinkPolicyRecord, 'when'>[]): readonly TopicField[] {
  const fields = new Map<string, TopicField>();
  for (const text of sinks.flatMap(({ when }) => when)) {
    for (const condition of parseAlternative(text)?.conditions ?? []) {
      if (condition.kind !== 'topic') continue;
      const { topic, field } = condition.comparison;
      fields.set(`${topic} ${field}`, { topic, field });
    }
  }
  return [...fields.values()];
}

/** The rules of `sync.transform` of all sinks, each once; undefined: one is of a later version. */
export function rulesOf(
  sinks: readonly Pick<SinkPolicyRecord, 'transform'>[],
): readonly TransformRule[] | undefined {
  const texts = new Set(sinks.flatMap(({ transform = [] }) => transform));
  const rules = [...texts].map(parseTransformRule);
  return rules.every((rule) => rule !== undefined) ? rules : undefined;
}
