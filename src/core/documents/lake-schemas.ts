import type { SchemaObject } from 'ajv';
import { gapSchema } from './gap-schema.js';
import { count, crc32, key, listOf, literal, object, sha256, text, time } from './schema-parts.js';

const table = { enum: ['topics', 'events'], description: "'topics' or 'events'" };
const lakeFile = object({ key, bytes: count, sha256, crc32, rows: count, table });

/** The files made of one sealed segment. */
export const lakeSegmentSchema: SchemaObject = object(
  {
    format: literal('holdfast-lake-segment'),
    version: literal(1),
    form: text,
    segment: object({ id: text, number: count }),
    robot: text,
    source: object({ name: text, key, bytes: count }, { sha256 }),
    ...{ rows: count, undecoded: count, files: listOf(lakeFile), gaps: listOf(gapSchema), crc32 },
  },
  {
    vin: text,
    evicted: object({ at: time, reason: text }),
    rowsOf: text,
    schemas: listOf(
      object(
        { table, name: text, columns: count, sha256 },
        { descriptors: listOf(object({ file: text, sha256 })) },
      ),
    ),
  },
);

/** One step of a lake's history. */
export const lakeChangeSchema: SchemaObject = object(
  {
    format: literal('holdfast-lake-change'),
    version: literal(1),
    ...{ form: text, number: count, at: time, duplicates: count, crc32 },
    ...{ replaces: listOf(key), adds: listOf(lakeFile), abandons: listOf(key) },
  },
  { removed: object({ rows: count, plan: text }) },
);
