import { HoldfastError } from '../errors.js';
import type { Definitions } from './definitions.js';
import { readAhead, type Readable } from './readable.js';
import { MAGIC, Op, RECORD_HEADER_BYTES } from './records.js';
import type { Summary } from './summary.js';

/** Records outside of indexed parts looked at before the index is given up. */
const MAX_STRAY_RECORDS = 100_000;
const DATA_END_BYTES = 13;

/** What may stand in the data section without being in the index. */
const harmless: ReadonlySet<number> = new Set([
  Op.schema,
  Op.channel,
  Op.messageIndex,
  Op.attachment,
  Op.metadata,
]);

/**
 * Makes sure that the index tells of every message: whatever it does not mention in the data section is
 * walked over, and must be records without messages; and it must define the channels its chunks name.
 * Otherwise reading by the index would leave messages out without anyone noticing. Throws `MCAP_UNREADABLE`.
 */
export async function checkCoverage(
  readable: Readable,
  name: string,
  summary: Summary,
  definitions: Definitions,
): Promise<void> {
  const fail = (why: string): never => {
    throw new HoldfastError('MCAP_UNREADABLE', `${name}: no usable index (${why})`, { facts: { name } });
  };
  for (const { messageIndexOffsets, chunkStartOffset } of summary.chunkIndexes) {
    for (const id of messageIndexOffsets.keys()) {
      if (definitions.channel(id) === undefined) {
        fail(`it does not define channel ${id} of the chunk at ${chunkStartOffset}`);
      }
    }
  }
  const ahead = readAhead(readable, 64 * 1024);
  const headOf = async (at: bigint): Promise<{ opcode: number; next: bigint }> => {
    const bytes = await ahead.read(at, BigInt(RECORD_HEADER_BYTES));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { opcode: view.getUint8(0), next: at + BigInt(RECORD_HEADER_BYTES) + view.getBigUint64(1, true) };
  };
  const begin = (await headOf(BigInt(MAGIC.length))).next;
  const end = summary.footer.summaryStart - BigInt(DATA_END_BYTES);
  let budget = MAX_STRAY_RECORDS;
  let at = begin;
  for (const [from, to] of [...indexedParts(summary), [end, end] as const]) {
    if (from < at || to > end) fail(`it names overlapping parts, or parts outside of the data, at ${from}`);
    while (at < from) {
      const { opcode, next } = await headOf(at);
      if (!harmless.has(opcode)) fail(`it does not mention the record of type ${opcode} at ${at}`);
      if (next > from) fail(`the record at ${at} does not end where the next part begins`);
      if (--budget < 0) fail(`more than ${MAX_STRAY_RECORDS} records are not in it`);
      at = next;
    }
    at = to;
  }
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
      parts.push([first!, first! + index.messageIndexLength]);
    }
  }
  for (const { offset, length } of [...summary.attachmentIndexes, ...summary.metadataIndexes]) {
    parts.push([offset, offset + length]);
  }
  return parts.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}
