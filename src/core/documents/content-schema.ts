import type { SchemaObject } from 'ajv';
import { encryptionSchema } from './manifest-schema.js';
import { count, crc32, literal, object, sha256, text } from './schema-parts.js';

const base64: SchemaObject = { ...text, pattern: '^[A-Za-z0-9+/]*=*$', description: 'base64' };
const sums = object({ bytes: count, sha256, crc32 });

/** `encryption/<name>.json`. */
export const contentRecordSchema: SchemaObject = object({
  ...{ version: literal(1), dataKey: base64, salt: base64, plain: sums, sealed: sums, blocks: base64 },
  ...{ recipients: text, encryption: encryptionSchema },
});
