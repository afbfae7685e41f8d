import type { FileHandle } from 'node:fs/promises';

const READ_BYTES = 1024 * 1024;
/** Type of the NAL unit that begins an access unit (ITU-T H.264, 7.3.2.4). */
const DELIMITER = 9;
const NAL_TYPE_MASK = 0x1f;
/** One picture. */
const UNIT_MAX_BYTES = 64 * 1024 * 1024;

/** The access units of a file in Annex B, of which each begins with a delimiter. Throws an Error for one that is too long. */
export async function* accessUnits(file: FileHandle): AsyncGenerator<Buffer, void, void> {
  let pending: Buffer = Buffer.alloc(0);
  /** Where the search for the next delimiter continues. */
  let from = 0;
  for (;;) {
    const block = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await file.read(block, 0, READ_BYTES, null);
    pending = Buffer.concat([pending, block.subarray(0, bytesRead)]);
    for (let at = delimiterIn(pending, from); at >= 0; at = delimiterIn(pending, from)) {
      if (at > 0) yield pending.subarray(0, at);
      pending = pending.subarray(at);
      from = 4;
    }
    if (bytesRead === 0) break;
    from = Math.max(Math.min(4, pending.length), pending.length - 4);
    if (pending.length > UNIT_MAX_BYTES)
      throw new Error(`an access unit of more than ${UNIT_MAX_BYTES} bytes`);
  }
  if (pending.length > 0) yield pending;
}

/** The place of the start code, of three or four bytes, before the next delimiter; -1: none. */
function delimiterIn(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(START, from); at >= 0; at = bytes.indexOf(START, at + 1)) {
    const type = bytes[at + START.length];
    if (type === undefined) return -1;
    if ((type & NAL_TYPE_MASK) !== DELIMITER) continue;
    return at > 0 && bytes[at - 1] === 0 ? at - 1 : at;
  }
  return -1;
}

const START = Buffer.from([0, 0, 1]);
