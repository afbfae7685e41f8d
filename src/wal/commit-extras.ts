import type { Gap } from '../core/gap.js';
import type { Schema } from '../core/message.js';
import { otherRecordId, type RobotRecord } from '../core/other-record.js';
import type { EncodedBatch } from './batch-codec.js';
import { encodeFailed } from './encode-failure.js';
import type { ObjectFile } from './object-file.js';
import {
  clockKey,
  definitionKey,
  gapKey,
  otherKey,
  pack,
  packGap,
  packOther,
  plainKey,
  type ChannelEntry,
  type ClockStep,
  type SegmentMeta,
} from './segment-format.js';

/** One entry of an atomic LevelDB write. */
export type Put = { type: 'put'; key: Buffer; value: Buffer };

/** The parts of a commit beside its batch, all in the same atomic LevelDB write. */
export interface CommitExtras {
  readonly schemas: readonly { readonly id: number; readonly schema: Schema }[];
  readonly channels: readonly { readonly id: number; readonly channel: ChannelEntry }[];
  readonly gaps: readonly Gap[];
  readonly others?: readonly RobotRecord[];
  /** Object files that the batch is the first to refer to. */
  readonly objects?: readonly ObjectFile[];
  readonly clockSteps: readonly ClockStep[];
  /** Only with the first commit of a segment. */
  readonly meta?: SegmentMeta;
  readonly carried?: EncodedBatch;
}

/** The entries of a commit, apart from its messages. */
export interface ExtraPuts {
  /** Channels, schemas and object files; every segment must hold those it needs. */
  readonly definitions: Put[];
  /** Gaps, other records and clock steps. */
  readonly notes: Put[];
}

/** Throws `WAL_ENCODE_FAILED`. */
export function encodeExtras(extras: CommitExtras): ExtraPuts {
  try {
    const notes: Put[] = extras.gaps.map((gap) => ({ type: 'put', key: gapKey(gap), value: packGap(gap) }));
    for (const other of extras.others ?? []) {
      notes.push({ type: 'put', key: otherKey(otherRecordId(other)), value: packOther(other) });
    }
    for (const step of extras.clockSteps) {
      notes.push({ type: 'put', key: clockKey(BigInt(step.at)), value: pack(step) });
    }
    return { definitions: definitionPuts(extras), notes };
  } catch (cause) {
    throw encodeFailed(cause);
  }
}

function definitionPuts(extras: CommitExtras): Put[] {
  const puts: Put[] = [];
  if (extras.meta) puts.push({ type: 'put', key: plainKey('meta'), value: pack(extras.meta) });
  for (const { id, schema } of extras.schemas) {
    puts.push({ type: 'put', key: definitionKey('schema', id), value: pack(schema) });
  }
  for (const { number, entry } of extras.objects ?? []) {
    puts.push({ type: 'put', key: definitionKey('object', number), value: pack(entry) });
  }
  for (const { id, channel } of extras.channels) {
    puts.push({ type: 'put', key: definitionKey('channel', id), value: pack(channel) });
  }
  return puts;
}
