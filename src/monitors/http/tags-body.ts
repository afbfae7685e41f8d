import { TAG_CHANGES_MAX, TAG_NAME, TAG_VALUE_MAX } from '../../core/tags.js';
import type { JsonSchema } from './route.js';

/** What sets tags: of a recorder, and of a robot through its ground. */
export const tagsBody: JsonSchema = {
  type: 'object',
  properties: {
    tags: {
      type: 'object',
      minProperties: 1,
      maxProperties: TAG_CHANGES_MAX,
      propertyNames: { type: 'string', pattern: TAG_NAME.source },
      additionalProperties: { type: 'string', maxLength: TAG_VALUE_MAX },
      description: 'values by name, such as mission; an empty value removes one, and the others stay',
    },
  },
  required: ['tags'],
  additionalProperties: false,
};
