import { chainStart, type BatchLink, type BatchPrefix } from './batch-codec.js';
import type { SegmentEnd } from './segment-format.js';

/** Counts the records of a segment while it is read, and detects missing ones. */
export class SegmentTally {
  records = 0;
  /** 0 if there are no records. */
  firstSequence = 0;
  lastSequence = 0;
  /** Records that are provably missing. */
  missingRecords = 0;
  #expectedSequence: number | undefined;
  #link: BatchLink = chainStart;

  readonly #fault: (where: string, what: string) => void;

  /** @param fault receives each contradiction, and its place. */
  constructor(fault: (where: string, what: string) => void) {
    this.#fault = fault;
  }

  /** The first record according to the segment's identity. */
  begin(firstSequence: number): void {
    this.#expectedSequence ??= firstSequence;
  }

  add({ firstSequence, count, previous, crc }: BatchPrefix, carried: boolean): void {
    if (!carried) {
      // If the segment's identity is lost, the chain still refers to the previous batch.
      if (previous.firstSequence > 0) this.begin(previous.firstSequence);
      this.#count(firstSequence, count);
    }
    if (previous.crc !== this.#link.crc || previous.firstSequence !== this.#link.firstSequence) {
      this.#fault(`batch ${firstSequence}`, `the batch before it (${previous.firstSequence}) was not read`);
    }
    this.#link = { firstSequence, crc };
  }

  end(end: SegmentEnd): void {
    if (end.records !== this.records) {
      this.missingRecords = Math.max(this.missingRecords, end.records - this.records);
      this.#fault('end mark', `counts ${end.records} records, read: ${this.records}`);
    } else if (end.link.crc !== this.#link.crc) {
      this.#fault('end mark', 'belongs to another last batch');
    }
  }

  #count(firstSequence: number, count: number): void {
    if (this.#expectedSequence !== undefined && firstSequence !== this.#expectedSequence) {
      this.missingRecords += Math.max(0, firstSequence - this.#expectedSequence);
      this.#fault(`sequence ${this.#expectedSequence}`, `the next record read has sequence ${firstSequence}`);
    }
    if (this.records === 0) this.firstSequence = firstSequence;
    this.lastSequence = firstSequence + count - 1;
    this.#expectedSequence = this.lastSequence + 1;
    this.records += count;
  }
}
