import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { Gap } from '../../src/core/gap.js';
import type { Channel, Message } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { newSegmentId } from '../../src/core/segment-id.js';
import { encodeMessages } from '../../src/wal/batch-encoder.js';
import { SEGMENT_FORMAT_VERSION } from '../../src/wal/segment-format.js';
import { SegmentWriter } from '../../src/wal/segment-writer.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import { identity, message } from '../wal/wal-support.js';

/** A WAL segment on disk. */
export interface WideSegment {
  readonly id: string;
  readonly directory: string;
  readonly messages: number;
}

/** A segment of many channels and gaps, written without a recorder: nothing of what it bounds is bounded. */
export async function wideSegment(
  folder: DataFolder,
  channels: readonly Channel[],
  rounds: number,
  gaps: readonly Gap[],
  textOf: (channel: Channel, round: number) => string = (_, round) => `r${round}`,
): Promise<WideSegment> {
  const id = newSegmentId(1, seededBytes(7));
  const directory = join(folder.wal, id);
  const writer = await SegmentWriter.create(realFs, directory, id);
  const ids = new Map(channels.map((one, index) => [one, index + 1]));
  const idOf = (one: Message): number => present(ids.get(one.channel));
  let sequence = 1;
  for (let round = 0; round < rounds; round++) {
    const messages = channels.map((one) => message(one, textOf(one, round)));
    const encoded = encodeMessages(messages, idOf, sequence, writer.lastLink);
    sequence += messages.length;
    const first = round === 0;
    await writer.append(
      encoded,
      {
        schemas: first ? [{ id: 1, schema: channels[0]!.schema }] : [],
        channels: first
          ? channels.map(({ schema: { name, encoding }, ...rest }, index) => ({
              id: index + 1,
              channel: { ...rest, priority: 'normal' as const, schemaId: 1, schema: { name, encoding } },
            }))
          : [],
        gaps: gaps.slice((gaps.length / rounds) * round, (gaps.length / rounds) * (round + 1)),
        clockSteps: [],
        ...(first
          ? {
              meta: {
                version: SEGMENT_FORMAT_VERSION,
                id,
                number: 1,
                firstSequence: 1,
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
  }
  await writer.close(sequence - 1);
  return { id, directory, messages: sequence - 1 };
}
