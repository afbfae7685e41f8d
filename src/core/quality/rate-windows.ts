/** One window of time, or several empty ones behind one another. */
export interface RateWindow {
  readonly from: bigint;
  readonly to: bigint;
  readonly messages: number;
}

/** Counts messages in windows of one length, the first beginning with the first message (or a given time). */
export class RateWindows {
  #from: bigint | undefined;
  #messages = 0;

  /** @param lengthNs of a window */
  constructor(
    readonly lengthNs: bigint,
    from?: bigint,
  ) {
    this.#from = from;
  }

  /** Counts a message; windows that ended before it must have been taken with {@link close}. */
  add(time: bigint): void {
    this.#from ??= time;
    this.#messages++;
  }

  /** The windows that have ended by a time, which never decreases; empty ones come as one. */
  close(time: bigint): readonly RateWindow[] {
    const from = this.#from;
    if (from === undefined || time < from + this.lengthNs) return [];
    const end = from + this.lengthNs;
    const windows: RateWindow[] = [{ from, to: end, messages: this.#messages }];
    const empty = (time - end) / this.lengthNs;
    if (empty > 0n) windows.push({ from: end, to: end + empty * this.lengthNs, messages: 0 });
    this.#from = end + empty * this.lengthNs;
    this.#messages = 0;
    return windows;
  }
}

/** Messages per second. */
export function rateOf({ from, to, messages }: RateWindow): number {
  return messages / (Number(to - from) / 1e9);
}
