/** Stamps of several threads may be out of order by less. */
const CLOCK_SET_BACK_NS = 1_000_000_000n;

/** What a topic rule leaves out. At least one of the two is given. */
export interface ThinningRule {
  /** Minimum time between two kept messages on average, nanoseconds (`max_hz=`). */
  readonly intervalNs?: bigint;
  /** Each n-th message is kept (`every=`). */
  readonly every?: number;
}

/**
 * Decides which messages of one sequence are kept, by their receive stamps. The first one always is.
 *
 * Time is divided into slots of `intervalNs`, and each slot takes one message: within any span of length t, at
 * most `t / intervalNs + 2` messages are kept, and a publisher whose period is a little irregular keeps its
 * whole share. A stamp long before the last kept one (the clock was set back) starts again.
 */
export class ThinningPace {
  #last: bigint | undefined;
  /** When the next slot begins. */
  #nextAt = 0n;
  #sinceKept = 0;

  /** Whether a message of this time is due. It changes nothing. */
  isDue(at: bigint, { intervalNs, every }: ThinningRule): boolean {
    if (this.#isStart(at)) return true;
    if (every !== undefined && this.#sinceKept + 1 < every) return false;
    return intervalNs === undefined || at >= this.#nextAt;
  }

  /** The message is recorded, whether it was due or not. */
  keep(at: bigint, { intervalNs = 0n }: ThinningRule): void {
    const isLate = this.#isStart(at) || at >= this.#nextAt + intervalNs;
    const isEarly = at < this.#nextAt;
    this.#nextAt = isLate || isEarly ? at + intervalNs : this.#nextAt + intervalNs;
    this.#last = at;
    this.#sinceKept = 0;
  }

  /** The message is left out. */
  skip(): void {
    this.#sinceKept++;
  }

  #isStart(at: bigint): boolean {
    return this.#last === undefined || at < this.#last - CLOCK_SET_BACK_NS;
  }
}
