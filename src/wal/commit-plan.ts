import type { Identity } from '../core/identity.js';
import type { Channel, Message, Priority } from '../core/message.js';
import type { Batch } from '../ingest/batch.js';
import type { EncodedBatch } from './batch-codec.js';
import { encodeMessages, type Slab } from './batch-encoder.js';
import type { ChannelRegistry } from './channel-registry.js';
import type { LatchedSet } from './latched-set.js';
import type { OpenSegment } from './open-segment.js';
import { SEGMENT_FORMAT_VERSION, type ClockStep } from './segment-format.js';
import type { CommitExtras } from './segment-writer.js';
import type { WalOptions } from './wal-ports.js';

export interface CommitContext {
  readonly identity: Identity;
  readonly options: WalOptions;
  readonly registry: ChannelRegistry;
  readonly latched: LatchedSet;
  readonly clockSteps: readonly ClockStep[];
  readonly nextSequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly startedAt: bigint;
  readonly priorityOf: (channel: Channel) => Priority;
  /** For the batch's small payloads; the plan is valid until the slab is used again. */
  readonly slab: Slab;
  /** The commit before it is under way: what that one writes of the segment is not written again. */
  readonly ahead: boolean;
}

export interface CommitPlan {
  /** Undefined where only gaps are to be written. */
  readonly encoded: EncodedBatch | undefined;
  readonly extras: CommitExtras;
}

/**
 * Everything one commit writes: the batch, the channels and schemas this segment does not know yet, and
 * with the first commit the segment's identity and the latched messages it must begin with.
 */
export function planCommit(current: OpenSegment, batch: Batch, context: CommitContext): CommitPlan {
  const { registry, latched, nextSequence } = context;
  const schemas: CommitExtras['schemas'][number][] = [];
  const channels: CommitExtras['channels'][number][] = [];
  const idOf = ({ channel }: Message): number => {
    const id = registry.idOf(channel);
    if (current.channels.has(id)) return id;
    current.channels.add(id);
    const { schema, ...rest } = channel;
    const schemaId = registry.schemaIdOf(schema);
    if (!current.schemas.has(schemaId)) {
      current.schemas.add(schemaId);
      schemas.push({ id: schemaId, schema });
    }
    const { name, encoding } = schema;
    const priority = context.priorityOf(channel);
    channels.push({ id, channel: { ...rest, priority, schemaId, schema: { name, encoding } } });
    return id;
  };
  const first = current.startedAt === undefined && !context.ahead;
  const carriedMessages = first ? latched.messages() : [];
  let link = current.writer.lastLink;
  let carried: EncodedBatch | undefined;
  if (carriedMessages.length > 0) {
    carried = encodeMessages(carriedMessages, idOf, nextSequence, link, { carried: true });
    ({ link } = carried);
  }
  const encoded =
    batch.messages.length > 0
      ? encodeMessages(batch.messages, idOf, nextSequence, link, { ahead: context.ahead }, context.slab)
      : undefined;
  return {
    encoded,
    extras: {
      schemas,
      channels,
      gaps: batch.gaps,
      clockSteps: context.clockSteps,
      ...(first ? { meta: metaOf(current, context) } : {}),
      ...(carried ? { carried } : {}),
    },
  };
}

function metaOf({ id, number }: OpenSegment, context: CommitContext): NonNullable<CommitExtras['meta']> {
  const { identity, options, nextSequence, startedAt } = context;
  return {
    version: SEGMENT_FORMAT_VERSION,
    id,
    number,
    firstSequence: nextSequence,
    identity,
    startedAt: String(startedAt),
    softwareVersion: options.softwareVersion,
    durability: options.durability,
  };
}
