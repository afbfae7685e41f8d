import type { MessageRun } from '../../../core/quality/unchanged-run.js';

/** Consecutive wrong messages, and the worst value among them. */
export interface BadMessages extends MessageRun {
  readonly worst: number;
}

/** Groups consecutive wrong messages, so that a fault is reported once and not a thousand times. */
export class BadMessageRun {
  #from = 0n;
  #to = 0n;
  #messages = 0;
  #worst = 0;

  /** @param tell called with each group when it has ended */
  constructor(
    readonly tell: (run: BadMessages) => void,
    readonly isWorse: (value: number, than: number) => boolean = (value, than) => value > than,
  ) {}

  bad(time: bigint, value: number): void {
    if (this.#messages++ === 0) this.#from = time;
    if (this.#messages === 1 || this.isWorse(value, this.#worst)) this.#worst = value;
    this.#to = time;
  }

  /** A correct message, or the end. */
  end(): void {
    if (this.#messages === 0) return;
    const run = { from: this.#from, to: this.#to, messages: this.#messages, worst: this.#worst };
    this.#messages = 0;
    this.tell(run);
  }
}
