import * as realFs from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Gap } from '../../src/core/gap.js';
import type { Message } from '../../src/core/message.js';
import { newSegmentId } from '../../src/core/segment-id.js';
import type { BatchKind, BatchLink, EncodedBatch } from '../../src/wal/batch-codec.js';
import { encodeMessages, type Placing } from '../../src/wal/batch-encoder.js';
import { SegmentPlacement } from '../../src/wal/placement.js';
import { SegmentCipher, type WalKeys } from '../../src/wal/segment-cipher.js';
import { SEGMENT_FORMAT_VERSION } from '../../src/wal/segment-format.js';
import { SegmentWriter } from '../../src/wal/segment-writer.js';
import { channel, identity, message, payload } from './wal-support.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

export interface SmallSegment {
  readonly name: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly messages: readonly Message[];
  readonly gaps: readonly Gap[];
}

export interface SmallSegmentOptions {
  /** Batches of payloads of these sizes. */
  readonly batches: readonly (readonly number[])[];
  readonly inlineMaxBytes: number;
  readonly ended: boolean;
  /** Payloads of so many bytes and more are written in place. Default: none are. */
  readonly inPlaceMinBytes?: number;
  /** Messages of another recording as the payload of the last one. */
  readonly lastPayload?: Uint8Array;
  readonly seed?: number;
  /** One-message batches in the blob that the log does not mention, each written ahead or not. */
  readonly staged?: readonly ('ahead' | 'alone')[];
  /** Encrypts the segment. */
  readonly keys?: WalKeys;
}

/** Writes a segment of chosen shape: carried message first, a gap with the second batch. */
export async function smallSegment(root: string, options: SmallSegmentOptions): Promise<SmallSegment> {
  const id = newSegmentId(3, seededBytes(options.seed ?? 99));
  const directory = join(root, id);
  const [key] = options.keys ?? [];
  const cipher = key && SegmentCipher.create(key, seededBytes(options.seed ?? 98));
  const writer = await SegmentWriter.create(realFs, directory, id, options.inlineMaxBytes, cipher);
  const schema = { name: 'p/msg/T', encoding: 'ros2msg', data: Buffer.from('uint8[] data\n') };
  const channels = [channel('/a', { schema }), channel('/b', { schema, robot: 'squid' })];
  const latched = channel('/l', { schema, latched: true });
  const all = [...channels, latched];
  const idOf = (one: Message): number => all.indexOf(one.channel) + 1;
  const placement = new SegmentPlacement();
  const inPlace = {
    minBytes: options.inPlaceMinBytes ?? Infinity,
    splitByPriority: false,
  } as const;
  const placing: Placing = {
    count: (id) => placement.count(id),
    fileOf: (one, id) => placement.fileFor(one, id, { priority: 'normal' }, 'holdfast 0', inPlace),
  };
  const encode = (
    sent: readonly Message[],
    first: number,
    link: BatchLink,
    kind: BatchKind = {},
  ): EncodedBatch => encodeMessages(sent, idOf, first, link, kind, undefined, placing);
  const gaps: Gap[] = [{ id: 'gap', reason: 'paused', robot: 'crab', topic: '/a', count: 3, firstTime: 5n }];
  const messages: Message[] = [];
  let sequence = 50;
  for (const [index, sizes] of options.batches.entries()) {
    const isLast = index === options.batches.length - 1;
    const sent = sizes.map((size, i) =>
      message(
        channels[(index + i) % 2]!,
        isLast && i === sizes.length - 1 && options.lastPayload
          ? options.lastPayload
          : payload(size, sequence + i),
        { sourceSequence: sequence + i, receivedAt: BigInt(1e18) + BigInt(sequence + i) },
      ),
    );
    const carried =
      index === 0
        ? encodeMessages([message(latched, 'latched', { receivedAt: 7n })], idOf, sequence, writer.lastLink, {
            carried: true,
          })
        : undefined;
    const encoded = encode(sent, sequence, carried?.link ?? writer.lastLink);
    await writer.append(
      encoded,
      {
        schemas: index === 0 ? [{ id: 1, schema }] : [],
        channels:
          index === 0
            ? all.map(({ schema: { name, encoding }, ...rest }, i) => ({
                id: i + 1,
                channel: { ...rest, priority: 'normal' as const, schemaId: 1, schema: { name, encoding } },
              }))
            : [],
        gaps: index === 1 ? gaps : [],
        objects: placement.takeUnnamed(),
        clockSteps: [],
        ...(carried ? { carried } : {}),
        ...(index === 0
          ? {
              meta: {
                version: SEGMENT_FORMAT_VERSION,
                id,
                number: 3,
                firstSequence: sequence,
                identity,
                startedAt: '1',
                softwareVersion: '0',
                durability: 'commit' as const,
              },
            }
          : {}),
      },
      true,
    );
    messages.push(...sent);
    sequence += sent.length;
  }
  const nothing = { schemas: [], channels: [], gaps: [], clockSteps: [] };
  for (const [index, how] of (options.staged ?? []).entries()) {
    const kind = { ahead: how === 'ahead' };
    const lost = message(channels[0]!, payload(20, index));
    await writer.stage(encode([lost], sequence + index, writer.lastLink, kind), nothing);
  }
  const files = new Map<string, Buffer>();
  const readFiles = async (): Promise<void> => {
    for (const name of await realFs.readdir(directory)) {
      if (name !== 'LOCK') files.set(name, await realFs.readFile(join(directory, name)));
    }
  };
  // Before closing there is no end mark: what a kill leaves.
  if (!options.ended) await readFiles();
  await writer.close(sequence - 1);
  if (options.ended) await readFiles();
  return { name: basename(directory), files, messages, gaps: options.batches.length > 1 ? gaps : [] };
}

export function logName(segment: SmallSegment): string {
  return [...segment.files.keys()].find((name) => name.endsWith('.log')) as string;
}
