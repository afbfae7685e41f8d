import type { SchemaObject } from 'ajv';
import {
  count,
  crc32,
  flag,
  key,
  listOf,
  literal,
  object,
  policySinks,
  sha256,
  tagsMember,
  text,
  time,
} from './schema-parts.js';

const asked = object({ key, bytes: count, sha256, crc32 });

const verification: SchemaObject = {
  enum: ['store-checksum', 'read-back'],
  description: "'store-checksum' or 'read-back'",
};

/** `receipts/<name>.json`. */
export const receiptsSchema: SchemaObject = object({
  version: literal(1),
  segment: text,
  robot: text,
  stores: listOf(
    object(
      {
        ...{ storeId: text, uri: text, key, sha256, verification },
        verifiedAt: time,
      },
      {
        ...{ form: text, partial: flag, crc32 },
        encrypted: object({ bytes: count, sha256, crc32, keyId: text }),
        asked: object(
          { answer: text, askedAt: time, storeId: text, manifest: asked },
          { request: text, object: asked },
        ),
      },
    ),
  ),
});

const segmentId: SchemaObject = {
  ...text,
  pattern: '^[0-9]{12}-[0-9a-f]{32}$',
  description: 'a segment id',
};
const names = listOf(text);
const name: SchemaObject = { ...text, minLength: 1, description: 'a string that is not empty' };

/** `sinks.json`. */
export const sinksSchema: SchemaObject = object({
  version: literal(1),
  required: listOf(
    object(
      { uri: text, form: text, selection: object({}, { robots: names, priorities: names, topics: names }) },
      { storeId: text },
    ),
  ),
});

/** `stores.json`. */
export const knownStoresSchema: SchemaObject = object({
  version: literal(1),
  stores: listOf(
    object(
      { uri: name, storeId: name },
      { marks: { type: 'object', description: 'an object', additionalProperties: text } },
    ),
  ),
});

/** `unsealed.json`. */
export const unsealedSchema: SchemaObject = object({
  version: literal(1),
  segments: listOf(object({ id: segmentId, at: time, error: text })),
});

/** `lost.json`. */
export const lostSchema: SchemaObject = object({
  version: literal(1),
  segments: listOf(
    object(
      { name, form: text, uri: text, storeId: text, key, at: time, message: text },
      { isAcknowledged: flag },
    ),
  ),
});

/** What sync remembers about one segment, as a value of its LevelDB. */
export const progressSchema: SchemaObject = {
  description: "an object whose state is 'sending', 'uploading', 'verified' or 'parked', with its members",
  anyOf: [
    object({ state: literal('sending'), suffix: count }),
    object(
      {
        ...{ state: literal('uploading'), suffix: count, key, uploadId: name, started: count },
        partBytes: { ...count, minimum: 1 },
      },
      { uri: text },
    ),
    object({ state: literal('verified'), key, bytes: count, sha256, verification, verifiedAt: time }),
    object({ state: literal('parked'), robot: text, bytes: count, code: text, message: text }),
  ],
};

/** `confirm.json`. */
export const confirmationSchema: SchemaObject = object({ version: literal(1), nonce: text, names });

/** `store-findings.json`. */
export const storeMemorySchema: SchemaObject = object({
  version: literal(1),
  stores: listOf(object({ storeId: text, checksums: literal('refused'), server: text, since: time })),
});

/** `spent.json`. */
export const spentSchema: SchemaObject = object({
  version: literal(1),
  sinks: listOf(object({ form: text, uri: text, days: listOf(object({ day: text, bytes: count })) })),
});

/** `send-policy.json`. */
export const sendPolicySchema: SchemaObject = object({
  version: literal(1),
  topicMaxAgeMs: count,
  sinks: policySinks,
});

/** `condition-values.json`. */
export const conditionValuesSchema: SchemaObject = object({
  version: literal(1),
  values: listOf(
    object(
      { topic: name, field: name, robot: text, at: time },
      {
        value: { type: ['boolean', 'number', 'string'], description: 'a truth value, a number or a string' },
        meets: { type: 'object', required: [], additionalProperties: flag },
        problem: text,
      },
    ),
  ),
});

/** `sinks/<name>.schemas.json`. */
export const schemaBookSchema: SchemaObject = object({
  version: literal(1),
  tables: listOf(
    object({
      ...{ robot: text, name: text, since: count },
      table: { enum: ['topics', 'events'], description: "'topics' or 'events'" },
      columns: listOf({ ...listOf(text), minItems: 2, maxItems: 2, description: 'a path and a type' }),
    }),
  ),
});

const amount = { type: 'number', minimum: 0, description: 'a number from 0' };

/** `limits.json`. */
export const limitsSchema: SchemaObject = object({
  version: literal(1),
  ...{ minFreeBytes: amount, maxBytes: amount, slackBytes: amount },
  minFreePercent: { type: 'number', minimum: 0, maximum: 100, description: 'a number from 0 to 100' },
});

/** Where the next sample of `verify --sample` begins. */
export const samplePlaceSchema: SchemaObject = object({}, { after: text });

/** `evicted.json`. */
export const evictedTotalsSchema: SchemaObject = object({
  version: literal(1),
  robots: {
    ...{ type: 'object', description: 'an object' },
    additionalProperties: object({ segments: count, messages: count, bytes: count }),
  },
  counted: names,
});

/** `events/<id>.json`. */
export const eventMarkSchema: SchemaObject = object({
  crc32,
  event: object({ version: literal(1), id: text, label: text, at: time, from: time, to: time }),
});

/** `tags.json`. */
export const tagFileSchema: SchemaObject = object({
  crc32,
  tags: object({ version: literal(1), now: tagsMember, configured: tagsMember }),
});

/** `wal/head.json`. */
export const walHeadSchema: SchemaObject = object({
  crc32,
  head: object({ version: literal(1) }, { nextNumber: count, nextSequence: count, closed: flag }),
});
