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
  policySinks,
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

const name: SchemaObject = { ...text, maxLength: 100, description: 'a text of at most 100 characters' };
const base64 = (bytes: number): SchemaObject => ({
  ...{ type: 'string', pattern: `^[A-Za-z0-9+/]{${Math.ceil((bytes * 4) / 3)}}=*$` },
  description: `base64 of ${bytes} bytes`,
});

/** A data key for one recipient. */
export const wrappedKeySchema: SchemaObject = {
  description: "an object of type 'X25519' or 'symmetric' with its members",
  anyOf: [
    object({ type: literal('X25519'), recipient: name, ephemeral: base64(32), wrapped: base64(48) }),
    object({ type: literal('symmetric'), recipient: name, salt: base64(16), wrapped: base64(48) }),
  ],
};

const keyId: SchemaObject = { ...text, pattern: '^[0-9a-f]{32}$', description: '32 hex digits' };

/** How an object is encrypted. */
export const encryptionSchema: SchemaObject = object({
  ...{ version: { enum: [1, 2], description: '1 or 2' }, keyId, plainBytes: count },
  keys: { ...listOf(wrappedKeySchema), minItems: 1, maxItems: 100, description: 'a list of 1 to 100 keys' },
});

/** How a file was made of a sealed one. */
const derivationSchema: SchemaObject = object({
  version: literal(1),
  source: object(
    { bytes: count, sha256, crc32, messages: count, payloadBytes: count },
    { segment: { ...text, maxLength: 100 } },
  ),
  stages: {
    ...listOf(
      object(
        { name, version: count, rule: { ...text, maxLength: 4_000 } },
        {
          program: { ...text, maxLength: 400 },
          model: sha256,
          counts: object({ unchanged: count, changed: count, dropped: count, made: count }),
        },
      ),
    ),
    ...{ maxItems: 1_000, description: 'a list of at most 1000 stages' },
  },
});

/** The manifest of a sealed segment, or its tombstone. */
export const manifestSchema: SchemaObject = object(
  {
    format: literal('holdfast-manifest'),
    version: { enum: [1, 2, 3], description: '1, 2 or 3' },
    segment: object({ id: text, number: count }, { priority: text, group: text, salvagedFrom: text }),
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
    vin: text,
    tags: tagsMember,
    policy: policySinks,
    evicted: object({ at: time, reason: text }),
    derived: derivationSchema,
    deleted: object({ at: time, by: text, reason: text, plan: text }, { remainder: text }),
    encryption: encryptionSchema,
  },
);
