/** A part of a segment that could not be read. */
export interface SegmentFault {
  readonly where: string;
  readonly what: string;
}

/** Number of faults of one segment that are listed; a badly damaged segment may have millions. */
export const MAX_FAULTS = 1_000;

/** The first faults of a segment, and a count of the others. */
export class FaultList {
  readonly list: SegmentFault[] = [];
  leftOut = 0;

  get count(): number {
    return this.list.length + this.leftOut;
  }

  add(where: string, what: string): void {
    if (this.list.length < MAX_FAULTS) this.list.push({ where, what });
    else this.leftOut++;
  }
}
