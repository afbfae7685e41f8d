import type { ObjectDigest } from '../../core/store.js';

/** Maximum size of a record, bytes. */
export const RECORD_MAX_BYTES = 200;

const FORM = /^delivered (\d{1,16}) ([0-9a-f]{64}) (\d{1,10})\n$/;

/** Size and sums of an acknowledged batch, as one line of text. */
export function writeRecord({ bytes, sha256, crc32 }: Required<ObjectDigest>): string {
  return `delivered ${bytes} ${sha256} ${crc32}\n`;
}

/** Undefined: it is torn, or something else. */
export function readRecord(text: string): Required<ObjectDigest> | undefined {
  const found = FORM.exec(text);
  if (!found) return undefined;
  return { bytes: Number(found[1]), sha256: found[2]!, crc32: Number(found[3]) };
}
