import type { SchemaObject } from 'ajv';
import { gapSchema } from './gap-schema.js';
import {
  count,
  crc32,
  flag,
  key,
  listOf,
  literal,
  nanoseconds,
  object,
  sha256,
  tagsMember,
  text,
  time,
} from './schema-parts.js';

const channel = object(
  {
    ...{ topic: text, type: text, encoding: text, schemaEncoding: text, latched: flag },
    ...{ count, bytes: count, carried: count },
  },
  { firstLogTime: time, lastLogTime: time, firstSourceSequence: count, lastSourceSequence: count },
);

const file = object(
  {
    name: { type: 'string', pattern: '^[^/\\\\]+$', description: 'a file name without a path' },
    bytes: count,
    crc32,
    compression: { enum: ['zstd', 'lz4', 'none'], description: "'zstd', 'lz4' or 'none'" },
  },
  { sha256 },
);

/** The manifest of a sealed segment, or its tombstone. */
export const manifestSchema: SchemaObject = object(
  {
    format: literal('holdfast-manifest'),
    version: { enum: [1, 2], description: '1 or 2' },
    segment: object({ id: text, number: count }, { priority: text, salvagedFrom: text }),
    robot: text,
    file,
    key,
    messages: count,
    payloadBytes: count,
    channels: listOf(channel),
    gaps: listOf(gapSchema),
    identity: object(
      {},
      { dataFolderId: text, machineId: text, bootId: text, sessionId: text, hostname: text },
    ),
    clockSteps: listOf(object({ at: time, stepNs: nanoseconds })),
    uncleanEnd: flag,
    sealedAt: time,
    software: object({ name: text, version: text }),
    manifestCrc32: { ...crc32, description: 'the CRC-32 of the other fields' },
  },
  {
    ...{
      firstLogTime: time,
      lastLogTime: time,
      firstSequence: count,
      lastSequence: count,
      clockStepsMerged: count,
    },
    events: listOf(object({ id: text, label: text, at: time, from: time, to: time })),
    tags: tagsMember,
    evicted: object({ at: time, reason: text }),
  },
);
