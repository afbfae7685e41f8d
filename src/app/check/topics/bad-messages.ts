import type { MessageRun } from '../../../core/quality/unchanged-run.js';

/** Messages in a row that are wrong, and the worst value among them. */
export interface BadMessages extends MessageRun {
  readonly worst: number;
}

/** Gathers wrong messages that follow each other, so that a fault is told once and not a thousand times. */
export class BadMessageRun {
  #from = 0n;
  #to = 0n;
  #messages = 0;
  #worst = 0;

  /** @param tell called with each row when it has ended */
  constructor(
    readonly tell: (run: BadMessages) => void,
    readonly isWorse: (value: number, than: number) => boolean = (value, than) => value > than,
  ) {}

  bad(time: bigint, value: number): void {
    if (this.#messages++ === 0) this.#from = time;
    if (this.#messages === 1 || this.isWorse(value, this.#worst)) this.#worst = value;
    this.#to = time;
  }

  /** A message that is as it should be, or the end. */
  end(): void {
    if (this.#messages === 0) return;
    const run = { from: this.#from, to: this.#to, messages: this.#messages, worst: this.#worst };
    this.#messages = 0;
    this.tell(run);
  }
}
