import type { SchemaObject } from 'ajv';
import { count, object, text, time } from './schema-parts.js';

/** A gap as JSON. The reason is any text, because a later version may have more reasons. */
export const gapSchema: SchemaObject = object(
  { id: text, reason: text, robot: text },
  {
    ...{ topic: text, count, bytes: count, firstTime: time, lastTime: time, detail: text },
    ...{ firstSourceSequence: count, lastSourceSequence: count, settledThrough: count },
  },
);
