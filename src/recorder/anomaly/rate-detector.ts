import { RateWindows, rateOf, type RateWindow } from '../../core/quality/rate-windows.js';
import { RobustWindow } from '../../core/quality/robust-window.js';
import type { AnomalyCondition } from '../../settings/anomaly-rule.js';
import { shown } from './value-detector.js';

type RateCondition = Extract<AnomalyCondition, { kind: 'rate' }>;

/** Long enough for topics of 1 Hz, short enough to detect in time. */
export const RATE_WINDOW_NS = 5_000_000_000n;
/** Number of windows for the usual rate, which is their median: five minutes. */
const USUAL_WINDOWS = 60;
const USUAL_MIN_WINDOWS = 4;
/** A topic with fewer messages per window has no usual rate. */
const USUAL_MIN_MESSAGES = 3;

/** Watches the rate of one topic. Reports an anomaly in words when it begins. */
export class RateDetector {
  #windows = new RateWindows(RATE_WINDOW_NS);
  #usual = new RobustWindow(USUAL_WINDOWS);
  #isOn = false;

  constructor(readonly condition: RateCondition) {}

  /** A message; @param now of a monotonic clock */
  arrive(now: bigint): string | undefined {
    const seen = this.tick(now);
    this.#windows.add(now);
    return seen;
  }

  /** Time passes, also without messages. */
  tick(now: bigint): string | undefined {
    let seen: string | undefined;
    for (const window of this.#windows.close(now)) seen = this.#see(window) ?? seen;
    return seen;
  }

  /** Nothing is recorded for now: silence has no meaning until the next message. */
  rest(): void {
    this.#windows = new RateWindows(RATE_WINDOW_NS);
  }

  #see(window: RateWindow): string | undefined {
    const what = this.#judge(rateOf(window));
    this.#usual.add(rateOf(window));
    const begins = what !== undefined && !this.#isOn;
    this.#isOn = what !== undefined;
    return begins ? what : undefined;
  }

  #judge(rate: number): string | undefined {
    const { side, limit, relative } = this.condition;
    const usual = this.#usual.median() ?? 0;
    if (relative) {
      const messages = usual * (Number(RATE_WINDOW_NS) / 1e9);
      if (this.#usual.count < USUAL_MIN_WINDOWS || messages < USUAL_MIN_MESSAGES) return undefined;
    }
    const bound = relative ? limit * usual : limit;
    if (side === 'above' ? rate <= bound : rate >= bound) return undefined;
    return `comes at ${shown(rate)} Hz, ${side} ${shown(bound)} Hz${relative ? `, usual are ${shown(usual)} Hz` : ''}`;
  }
}
