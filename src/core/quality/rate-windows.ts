/** One window of time, or several consecutive empty ones. */
export interface RateWindow {
  readonly from: bigint;
  readonly to: bigint;
  readonly messages: number;
}

/**
 * Counts messages in windows of one length; the first window begins with the first message (or at a given
 * time).
 */
export class RateWindows {
  #from: bigint | undefined;
  #messages = 0;

  /** @param lengthNs length of a window */
  constructor(
    readonly lengthNs: bigint,
    from?: bigint,
  ) {
    this.#from = from;
  }

  /** Counts a message; call {@link close} first for windows that ended before it. */
  add(time: bigint): void {
    this.#from ??= time;
    this.#messages++;
  }

  /** The windows that have ended by a time, which never decreases; consecutive empty windows come as one. */
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
