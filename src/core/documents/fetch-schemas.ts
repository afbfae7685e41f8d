import type { SchemaObject } from 'ajv';
import { count, flag, key, listOf, literal, object, text, time } from './schema-parts.js';

const id: SchemaObject = { ...text, pattern: '^[0-9a-f]{32}$', description: '32 hex digits' };
const name: SchemaObject = {
  ...{ ...text, minLength: 1, maxLength: 500 },
  description: 'a text of 1 to 500 characters',
};
const words: SchemaObject = { ...text, maxLength: 2_000, description: 'a text of at most 2,000 characters' };
const amount = object({ segments: count, bytes: count });

/** A request for segments, in a store. */
export const fetchRequestSchema: SchemaObject = object(
  {
    ...{ format: literal('holdfast-request'), version: literal(1), id, robot: name },
    ...{ from: time, to: time, createdAt: time, expiresAt: time },
  },
  {
    topics: {
      ...{ type: 'array', items: name, minItems: 1, maxItems: 100 },
      description: 'a list of 1 to 100 topics',
    },
    by: { ...text, maxLength: 200, description: 'a text of at most 200 characters' },
  },
);

/** What sync says about a request. */
export const fetchAnswerSchema: SchemaObject = object(
  {
    ...{ format: literal('holdfast-answer'), version: literal(1), id, robot: name, at: time },
    state: {
      enum: ['queued', 'sending', 'done', 'expired', 'refused'],
      description: 'queued, sending, done, expired or refused',
    },
    matched: amount,
    stored: amount,
    segments: listOf(
      object(
        {
          ...{ name, key, bytes: count },
          state: {
            enum: ['stored', 'waiting', 'sending', 'parked'],
            description: 'stored, waiting, sending or parked',
          },
        },
        { reason: words },
      ),
    ),
    gone: listOf(
      object(
        { name, messages: count, bytes: count, at: time, reason: words },
        { firstLogTime: time, lastLogTime: time },
      ),
    ),
    isRecording: flag,
  },
  {
    reason: words,
    progress: { type: 'number', minimum: 0, maximum: 1, description: 'a number from 0 to 1' },
  },
);
