/** A stamp that does not follow the previous one. */
export interface StampStep {
  readonly kind: 'backward' | 'forward';
  /** How far, nanoseconds. */
  readonly byNs: bigint;
}

/**
 * Follows the stamps of one topic. Backward: earlier than the previous stamp. Forward: further from it than
 * the distance between the messages. A late message is neither.
 */
export class StampSteps {
  #stamp: bigint | undefined;
  #logTime = 0n;

  /** Steps up to these sizes are ignored. */
  constructor(
    readonly backwardNs: bigint,
    readonly forwardNs: bigint,
  ) {}

  add(stamp: bigint, logTime: bigint): StampStep | undefined {
    const before = this.#stamp;
    const passed = logTime - this.#logTime;
    this.#stamp = stamp;
    this.#logTime = logTime;
    if (before === undefined) return undefined;
    const step = stamp - before;
    if (step < -this.backwardNs) return { kind: 'backward', byNs: -step };
    if (step - passed > this.forwardNs) return { kind: 'forward', byNs: step - passed };
    return undefined;
  }
}
