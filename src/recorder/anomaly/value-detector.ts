import { RobustWindow } from '../../core/quality/robust-window.js';
import { UnchangedRun } from '../../core/quality/unchanged-run.js';
import { present } from '../../core/present.js';
import type { AnomalyCondition } from '../../settings/anomaly-rule.js';

/** Number of values for a score, and the minimum. */
export const SCORE_WINDOW = 200;
export const SCORE_MIN_VALUES = 30;

type ValueCondition = Exclude<AnomalyCondition, { kind: 'rate' }>;

/**
 * Watches the values of one field by one condition. Reports an anomaly in words when it begins, and not again
 * before it has ended.
 */
export class ValueDetector {
  readonly #window: RobustWindow | undefined;
  readonly #run: UnchangedRun | undefined;
  #before = NaN;
  #isOn = false;

  constructor(readonly condition: ValueCondition) {
    if (condition.kind === 'zscore') this.#window = new RobustWindow(SCORE_WINDOW);
    if (condition.kind === 'stuck') this.#run = new UnchangedRun();
  }

  /** @returns a description if an anomaly begins */
  see(value: number, time: bigint): string | undefined {
    const what = this.#judge(value, time);
    const begins = what !== undefined && !this.#isOn;
    this.#isOn = what !== undefined;
    return begins ? what : undefined;
  }

  #judge(value: number, time: bigint): string | undefined {
    const { condition } = this;
    switch (condition.kind) {
      case 'zscore': {
        const window = present(this.#window);
        const score = window.count < SCORE_MIN_VALUES ? undefined : window.score(value);
        window.add(value);
        // NaN has no distance; the condition nan handles it.
        if (score === undefined || !(score > condition.above)) return undefined;
        return `${shown(value)} is ${shown(score)} deviations off (limit ${condition.above})`;
      }
      case 'value': {
        const { side, limit } = condition;
        const isOut = side === 'above' ? value > limit : value < limit;
        return isOut ? `${shown(value)} is ${side} ${limit}` : undefined;
      }
      case 'nan':
        return Number.isFinite(value) ? undefined : `is ${Number.isNaN(value) ? 'NaN' : 'infinite'}`;
      case 'stuck': {
        const run = present(this.#run);
        run.step(Object.is(value, this.#before), time);
        this.#before = value;
        if (!run.hasLasted(BigInt(condition.forMs) * 1_000_000n, 2)) return undefined;
        return `has not changed for ${condition.forMs / 1_000} s`;
      }
    }
  }
}

export function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}
