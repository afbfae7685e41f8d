import type { Definitions } from './definitions.js';
import { readAhead, type Readable } from './readable.js';
import { isUnknown, MAGIC, Op, RECORD_HEADER_BYTES } from './records.js';
import { noIndex, type Summary } from './summary.js';
import { present } from '../present.js';

/** Maximum number of records outside of indexed parts that are looked at before the index is rejected. */
const MAX_STRAY_RECORDS = 100_000;
const DATA_END_BYTES = 13;
/** Later log times come from a wall clock, so none in the same chunk can be 0: March 1973. */
const UNIX_TIMES_FROM_NS = 10n ** 17n;

/** What the data section may contain without an entry in the index. */
const harmless: ReadonlySet<number> = new Set([
  Op.schema,
  Op.channel,
  Op.messageIndex,
  Op.attachment,
  Op.metadata,
]);

/** Byte offsets of a record. */
export interface RecordPlace {
  readonly offset: bigint;
  readonly length: bigint;
}

/** Records in the data section that the index does not mention and need not mention. */
export interface Unlisted {
  readonly metadata: readonly RecordPlace[];
  readonly attachments: readonly RecordPlace[];
  /** Records of types that this version of the format does not define. */
  readonly unknown: number;
}

/**
 * Makes sure that the index mentions every message. It walks over the parts of the data section that the
 * index does not mention: they must be records without messages. The index must also define the channels of
 * its chunks, and its times must be possible. Otherwise, reading by the index would silently skip messages.
 *
 * @throws HoldfastError MCAP_UNREADABLE with the fact `index`, one of `IndexState`
 */
export async function checkCoverage(
  readable: Readable,
  name: string,
  summary: Summary,
  definitions: Definitions,
): Promise<Unlisted> {
  const insufficient = whyInsufficient(summary, definitions);
  if (insufficient !== undefined) throw noIndex(name, insufficient, 'insufficient');
  const ahead = readAhead(readable, 64 * 1024);
  const headOf = async (at: bigint): Promise<{ opcode: number; next: bigint }> => {
    const bytes = await ahead.read(at, BigInt(RECORD_HEADER_BYTES));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { opcode: view.getUint8(0), next: at + BigInt(RECORD_HEADER_BYTES) + view.getBigUint64(1, true) };
  };
  const begin = (await headOf(BigInt(MAGIC.length))).next;
  const end = summary.footer.summaryStart - BigInt(DATA_END_BYTES);
  const unlisted = { metadata: [] as RecordPlace[], attachments: [] as RecordPlace[], unknown: 0 };
  const state = summary.chunkIndexes.length === 0 ? 'none' : 'insufficient';
  let budget = MAX_STRAY_RECORDS;
  let at = begin;
  for (const [from, to] of [...indexedParts(summary), [end, end] as const]) {
    if (from < at || to > end) {
      throw noIndex(name, `it names overlapping parts, or parts outside of the data, at ${from}`, 'damaged');
    }
    while (at < from) {
      const { opcode, next } = await headOf(at);
      if (!harmless.has(opcode) && !isUnknown(opcode)) {
        throw noIndex(name, `it does not mention the record of type ${opcode} at ${at}`, state);
      }
      if (next > from) {
        throw noIndex(name, `the record at ${at} does not end where the next part begins`, 'damaged');
      }
      if (--budget < 0) throw noIndex(name, `more than ${MAX_STRAY_RECORDS} records are not in it`, state);
      const place = { offset: at, length: next - at };
      if (opcode === Op.metadata) unlisted.metadata.push(place);
      else if (opcode === Op.attachment) unlisted.attachments.push(place);
      else if (isUnknown(opcode)) unlisted.unknown++;
      at = next;
    }
    at = to;
  }
  return unlisted;
}

/** Why an intact index is not sufficient for reading; undefined: it is sufficient. */
function whyInsufficient(summary: Summary, definitions: Definitions): string | undefined {
  const { chunkIndexes, statistics } = summary;
  const dangling = definitions.channels().find(({ schemaMissing }) => schemaMissing === 'dangling');
  if (dangling !== undefined) return `it does not define the schema of ${dangling.topic}`;
  const listed = new Set<number>();
  for (const { messageIndexOffsets, chunkStartOffset } of chunkIndexes) {
    for (const id of messageIndexOffsets.keys()) {
      if (definitions.channel(id) === undefined) {
        return `it does not define channel ${id} of the chunk at ${chunkStartOffset}`;
      }
      listed.add(id);
    }
  }
  const counts = [...(statistics?.channelMessageCounts ?? [])].filter(([, count]) => count > 0n);
  const undefinedId = counts.find(([id]) => definitions.channel(id) === undefined)?.[0];
  if (undefinedId !== undefined) return `it does not define channel ${undefinedId}`;
  const bare = chunkIndexes.find(({ messageIndexOffsets }) => messageIndexOffsets.size === 0);
  if (bare === undefined) {
    const unlistedId = counts.find(([id]) => !listed.has(id))?.[0];
    if (chunkIndexes.length > 0 && unlistedId !== undefined)
      return `none of its chunks has channel ${unlistedId}`;
  } else if (statistics === undefined || statistics.channelCount > definitions.channels().length) {
    return `it does not say which channels the chunk at ${bare.chunkStartOffset} has`;
  }
  return whyTimesAreImpossible(summary);
}

/** Some writers leave the times of a chunk at 0, or start them at its second message. */
function whyTimesAreImpossible({ chunkIndexes, statistics }: Summary): string | undefined {
  let first: bigint | undefined;
  let last = 0n;
  for (const { messageStartTime: from, messageEndTime: to, chunkStartOffset } of chunkIndexes) {
    const isUnset = from === 0n && (to === 0n || to >= UNIX_TIMES_FROM_NS);
    if (from > to || (isUnset && statistics?.messageCount !== 0n)) {
      return `it gives the chunk at ${chunkStartOffset} the log times ${from} to ${to}`;
    }
    if (first === undefined || from < first) first = from;
    if (to > last) last = to;
  }
  if (statistics === undefined || first === undefined || statistics.messageStartTime === 0n) return undefined;
  const { messageStartTime: from, messageEndTime: to } = statistics;
  const isWithin = from >= first && to <= last;
  return isWithin
    ? undefined
    : `its chunks are of the log times ${first} to ${last}, its messages of ${from} to ${to}`;
}

function indexedParts(summary: Summary): (readonly [from: bigint, to: bigint])[] {
  const parts: (readonly [bigint, bigint])[] = [];
  for (const index of summary.chunkIndexes) {
    const chunkEnd = index.chunkStartOffset + index.chunkLength;
    parts.push([index.chunkStartOffset, chunkEnd]);
    if (index.messageIndexOffsets.size > 0 && index.messageIndexLength > 0n) {
      let first: bigint | undefined;
      for (const offset of index.messageIndexOffsets.values()) {
        if (first === undefined || offset < first) first = offset;
      }
      parts.push([present(first), present(first) + index.messageIndexLength]);
    }
  }
  for (const { offset, length } of [...summary.attachmentIndexes, ...summary.metadataIndexes]) {
    parts.push([offset, offset + length]);
  }
  return parts.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}
