import type { SchemaObject } from 'ajv';

/** Members of documents, each with what is allowed as a phrase. */

export const text: SchemaObject = { type: 'string', description: 'a string' };
export const flag: SchemaObject = { type: 'boolean', description: 'true or false' };
export const count: SchemaObject = {
  ...{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  description: 'a whole number',
};
export const crc32: SchemaObject = {
  ...{ type: 'integer', minimum: 0, maximum: 0xffff_ffff },
  description: 'an unsigned 32-bit number',
};
export const sha256: SchemaObject = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: '64 hex digits',
};
/** Unsigned: the times of MCAP have 64 bits. */
export const time: SchemaObject = {
  ...{ type: 'string', pattern: '^\\d{1,20}$' },
  description: 'nanoseconds since the Unix epoch as decimal digits',
};
export const nanoseconds: SchemaObject = {
  ...{ type: 'string', pattern: '^-?\\d{1,20}$' },
  description: 'nanoseconds as decimal digits',
};
/** A key of a store; it cannot lead out of the prefix. */
export const key: SchemaObject = {
  ...{ type: 'string', minLength: 1, pattern: '^(?!(.*/)?\\.\\.(/|$))[^\\u0000]*$' },
  description: 'a key without ".."',
};

/** Exactly this value. */
export function literal(value: string | number): SchemaObject {
  return { const: value, description: typeof value === 'string' ? `'${value}'` : String(value) };
}

export function listOf(items: SchemaObject): SchemaObject {
  return { type: 'array', items, description: 'a list' };
}

/** Schema of an object that must have the members of `required`, and may have those of `optional`. */
export function object(
  required: Readonly<Record<string, SchemaObject>>,
  optional: Readonly<Record<string, SchemaObject>> = {},
): SchemaObject {
  return {
    ...{ type: 'object', required: Object.keys(required), properties: { ...required, ...optional } },
    description: 'an object',
  };
}

/** Tags by name: `TAG_NAME` and `TAG_VALUE_MAX` of `tags.ts`, and room for what a later version allows. */
export const tagsMember: SchemaObject = {
  ...{ type: 'object', maxProperties: 256, additionalProperties: { ...text, maxLength: 1_000 } },
  propertyNames: { maxLength: 100 },
  description: 'an object of at most 256 short texts by short names',
};

/** The send policy of each sink (`policy-record.ts`). A later version may have other words. */
export const policySinks: SchemaObject = listOf(
  object(
    {
      ...{ name: text, upload: text, budgetBytesPerDay: count },
      ...{ when: listOf(text), pass: listOf(text), recipients: listOf(text) },
    },
    { transform: listOf(text) },
  ),
);
