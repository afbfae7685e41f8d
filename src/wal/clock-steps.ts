import type { ClockStep } from './segment-format.js';

/** Number of clock jumps listed one by one, per segment and per pending commit; later ones are merged. */
export const MAX_CLOCK_STEPS = 1_000;

/** Merges two jumps: the clock is off by the same amount afterwards. */
export function summedStep(earlier: ClockStep | undefined, later: ClockStep): ClockStep {
  if (earlier === undefined) return later;
  return { at: later.at, stepNs: String(BigInt(earlier.stepNs) + BigInt(later.stepNs)) };
}

/** Jumps of the wall clock, bounded: beyond {@link MAX_CLOCK_STEPS} the last entry stands for all that follow. */
export class ClockSteps {
  readonly list: ClockStep[] = [];
  /** Number of jumps that were merged into the last entry. */
  merged = 0;

  add(step: ClockStep): void {
    if (this.list.length < MAX_CLOCK_STEPS) {
      this.list.push(step);
      return;
    }
    this.list.push(summedStep(this.list.pop(), step));
    this.merged++;
  }
}

/**
 * Jumps that wait for the next commit. The list only grows at the end, so that a commit can take a part of
 * it.
 */
export class WaitingClockSteps {
  list: readonly ClockStep[] = [];
  #rest: ClockStep | undefined;

  add(step: ClockStep): void {
    if (this.list.length < MAX_CLOCK_STEPS) this.list = [...this.list, step];
    else this.#rest = summedStep(this.#rest, step);
  }

  /** The first `count` jumps are committed. */
  taken(count: number): void {
    if (count === 0) return;
    this.list = this.list.slice(count);
    if (this.#rest === undefined) return;
    this.list = [...this.list, this.#rest];
    this.#rest = undefined;
  }
}
