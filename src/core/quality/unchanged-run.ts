/** Messages in a row; times in nanoseconds since the Unix epoch. */
export interface MessageRun {
  readonly from: bigint;
  readonly to: bigint;
  readonly messages: number;
}

/** Follows for how long something stays the same. */
export class UnchangedRun {
  #from = 0n;
  #to = 0n;
  #messages = 0;

  /**
   * The next message.
   *
   * @param same it says what the one before said; of the first message it does not matter
   * @returns the run that ended with the message before, where this one differs
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

  /** The run that goes on; undefined before the first message. */
  get current(): MessageRun | undefined {
    return this.#messages === 0 ? undefined : { from: this.#from, to: this.#to, messages: this.#messages };
  }

  /** Whether the run that goes on is this long already. */
  hasLasted(forNs: bigint, messages: number): boolean {
    return this.#messages >= messages && this.#to - this.#from >= forNs;
  }
}

/** Whether a run is worth a word. */
export function lasted({ from, to, messages }: MessageRun, forNs: bigint, atLeast: number): boolean {
  return messages >= atLeast && to - from >= forNs;
}
