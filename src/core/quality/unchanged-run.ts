/** A run of equal messages; times in nanoseconds since the Unix epoch. */
export interface MessageRun {
  readonly from: bigint;
  readonly to: bigint;
  readonly messages: number;
}

/** Measures how long a value stays the same. */
export class UnchangedRun {
  #from = 0n;
  #to = 0n;
  #messages = 0;

  /**
   * Counts the next message.
   *
   * @param same it has the same content as the previous message; ignored for the first message
   * @returns the run that ended with the previous message, if this one differs
   */
  step(same: boolean, time: bigint): MessageRun | undefined {
    if (same && this.#messages > 0) {
      this.#to = time;
      this.#messages++;
      return undefined;
    }
    const ended = this.current;
    this.#from = this.#to = time;
    this.#messages = 1;
    return ended;
  }

  /** The present run; undefined before the first message. */
  get current(): MessageRun | undefined {
    return this.#messages === 0 ? undefined : { from: this.#from, to: this.#to, messages: this.#messages };
  }

  /** Whether the present run is at least this long. */
  hasLasted(forNs: bigint, messages: number): boolean {
    return this.#messages >= messages && this.#to - this.#from >= forNs;
  }
}

/** Whether a run is long enough to report. */
export function lasted({ from, to, messages }: MessageRun, forNs: bigint, atLeast: number): boolean {
  return messages >= atLeast && to - from >= forNs;
}
