import { HoldfastError } from './errors.js';
import { randomHex, type RandomBytes } from './identity.js';

/**
 * A segment's id: a monotonic number of twelve digits, and 128 random bits in hex:
 * `000000000042-0f1e2d3c4b5a69788796a5b4c3d2e1f0`. Ids sort by age within one data folder and are unique
 * everywhere.
 */
export type SegmentId = string;

const PATTERN = /^(\d{12})-([0-9a-f]{32})$/;

export function newSegmentId(number: number, random: RandomBytes): SegmentId {
  return `${String(number).padStart(12, '0')}-${randomHex(random, 16)}`;
}

export function isSegmentId(text: string): boolean {
  return PATTERN.test(text);
}

/** The monotonic number inside an id. Throws `SEGMENT_ID_INVALID`. */
export function segmentNumber(id: SegmentId): number {
  const match = PATTERN.exec(id);
  if (!match) {
    throw new HoldfastError(
      'SEGMENT_ID_INVALID',
      `segment id ${JSON.stringify(id)} is not 12 digits, a dash and 32 hex digits`,
    );
  }
  return Number(match[1]);
}
