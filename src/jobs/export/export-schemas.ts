import type { SchemaObject } from 'ajv';
import { gapSchema } from '../../core/documents/gap-schema.js';
import { count, key, listOf, literal, object, text } from '../../core/documents/schema-parts.js';

/** A path below the export's folder. Readers of a manifest open its paths. */
const path: SchemaObject = {
  ...key,
  pattern: `^(?!/)${String(key['pattern']).slice(1)}`,
  description: 'a relative path without ".."',
};
const file = object({ path, bytes: count, sha256: text, rows: count });
const problem = object({ where: text, reason: text });
const column = object({ name: text, type: text });
const topic = object({
  ...{ robot: text, topic: text, message_type: text, sample_count: count },
  ...{ schema: listOf(column), files: listOf(path) },
});

const source = object({ name: text }, { robot: text, vin: text });

/** `manifest.json` of an export. */
export const exportManifestSchema: SchemaObject = object({
  format_version: literal(1),
  ...{ export_id: text, format: text, num_records: count, undecoded: count },
  ...{ topics: listOf(topic), files: listOf(file), gaps: listOf(gapSchema), problems: listOf(problem) },
  ...{ sources: listOf(source), fingerprint: object({}), planned: listOf(text) },
});

/** `plan.json` of an export that has begun. */
export const planSchema: SchemaObject = object({
  export_id: text,
  started_utc: text,
  segments: listOf(text),
});

const tally = object({ robot: text, topic: text });

/** A completed step of an export. */
export const stepSchema: SchemaObject = object(
  {
    group: text,
    files: listOf(file),
    tallies: listOf(tally),
    latched: object({}),
    problems: listOf(problem),
  },
  { until: text, seen: object({}) },
);
