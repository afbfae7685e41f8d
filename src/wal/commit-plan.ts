import { defined } from '../core/defined.js';
import type { Identity } from '../core/identity.js';
import type { Channel, Message } from '../core/message.js';
import type { Batch } from '../ingest/batch.js';
import type { Tags } from '../core/tags.js';
import { clampTime } from '../core/time-range.js';
import type { EncodedBatch } from './batch-codec.js';
import { encodeMessages, type Placing, type Slab } from './batch-encoder.js';
import type { ChannelRegistry } from './channel-registry.js';
import type { LatchedSet } from './latched-set.js';
import type { OpenSegment } from './open-segment.js';
import type { ObjectClass } from './placement.js';
import { ENCRYPTED_FORMAT_VERSION, SEGMENT_FORMAT_VERSION, type ClockStep } from './segment-format.js';
import type { CommitExtras } from './commit-extras.js';
import type { WalOptions } from './wal-ports.js';

export interface CommitContext {
  readonly identity: Identity;
  readonly tags: Tags;
  readonly options: WalOptions;
  readonly registry: ChannelRegistry;
  readonly latched: LatchedSet;
  readonly clockSteps: readonly ClockStep[];
  readonly nextSequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly startedAt: bigint;
  readonly classOf: (channel: Channel) => ObjectClass;
  /** For the batch's small payloads; the plan is valid until the slab is used again. */
  readonly slab: Slab;
  /** The previous commit is under way: what it writes of the segment is not written again. */
  readonly ahead: boolean;
}

export interface CommitPlan {
  /** Undefined if only gaps are written. */
  readonly encoded: EncodedBatch | undefined;
  readonly extras: CommitExtras;
}

/**
 * Everything that one commit writes: the batch, and the channels and schemas that this segment does not have
 * yet. The first commit also writes the segment's identity and the latched messages at its start.
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
    const { priority, group } = context.classOf(channel);
    const own = { priority, ...defined({ group }) };
    channels.push({ id, channel: { ...rest, ...own, schemaId, schema: { name, encoding } } });
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
  const { messages } = batch;
  const kind = { ahead: context.ahead };
  const placing = placingOf(current, context);
  const encoded =
    messages.length > 0
      ? encodeMessages(messages, idOf, nextSequence, link, kind, context.slab, placing)
      : undefined;
  const objects = current.placement.takeUnnamed();
  return {
    encoded,
    extras: {
      schemas,
      channels,
      gaps: batch.gaps,
      ...defined({ others: batch.others }),
      ...(objects.length > 0 ? { objects } : {}),
      clockSteps: context.clockSteps,
      ...(first ? { meta: metaOf(current, context) } : {}),
      ...(carried ? { carried } : {}),
    },
  };
}

/** Undefined: nothing is written in place. */
function placingOf({ placement, writer }: OpenSegment, context: CommitContext): Placing | undefined {
  const { inPlace, softwareVersion } = context.options;
  if (inPlace === undefined || writer.isEncrypted) return undefined;
  const library = `holdfast ${softwareVersion}`;
  return {
    count: (channelId) => placement.count(channelId),
    fileOf: (message, channelId) =>
      placement.fileFor(message, channelId, context.classOf(message.channel), library, inPlace),
  };
}

function metaOf(
  { id, number, writer }: OpenSegment,
  context: CommitContext,
): NonNullable<CommitExtras['meta']> {
  const { identity, options, nextSequence, startedAt, tags } = context;
  return {
    version: writer.isEncrypted ? ENCRYPTED_FORMAT_VERSION : SEGMENT_FORMAT_VERSION,
    id,
    number,
    firstSequence: nextSequence,
    identity,
    startedAt: String(clampTime(startedAt)),
    softwareVersion: options.softwareVersion,
    durability: options.durability,
    ...(Object.keys(tags).length > 0 ? { tags } : {}),
    ...(options.vins && Object.keys(options.vins).length > 0 ? { vins: options.vins } : {}),
  };
}
