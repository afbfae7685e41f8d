/** A window of time that a user marked as important. It is sealed soon and uploaded first. */
export interface MarkedEvent {
  /** 32 hex digits. */
  readonly id: string;
  readonly label: string;
  /** Decimal nanoseconds since the Unix epoch: the time of the mark, and the window around it. */
  readonly at: string;
  readonly from: string;
  readonly to: string;
}

/** Whether any message in this range of log times (nanoseconds, inclusive) lies in the window. */
export function overlapsEvent({ from, to }: MarkedEvent, first: bigint, last: bigint): boolean {
  return first <= BigInt(to) && last >= BigInt(from);
}
