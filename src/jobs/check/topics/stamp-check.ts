import { StampSteps } from '../../../core/quality/stamp-steps.js';
import { present } from '../../../core/present.js';
import type { SettingsOf } from '../rule-settings.js';
import { short, type Report, type SeenMessage, type TopicCheck } from '../topic-check.js';

/** Header stamps that go backwards, or jump further than the time. */
export class StampCheck implements TopicCheck {
  readonly #steps: StampSteps;

  constructor(
    readonly settings: SettingsOf<'stamps'>,
    readonly report: Report,
  ) {
    this.#steps = new StampSteps(ns(settings.backward_ms), ns(settings.forward_ms));
  }

  message({ stamp, logTime }: SeenMessage): void {
    if (stamp === undefined) return;
    const step = this.#steps.add(stamp, logTime);
    if (step === undefined) return;
    const { kind, byNs } = step;
    const value = Number(byNs) / 1e6;
    const text = `the stamp goes ${kind} by ${short(value)} ms`;
    const limit = kind === 'backward' ? this.settings.backward_ms : this.settings.forward_ms;
    this.report({ from: logTime, to: logTime, count: 1, value, limit, text });
  }

  end(): void {}
}

/** Number of messages in order after which a disorder has ended. */
const IN_ORDER_AGAIN = 10;

/**
 * Log times that contradict the writer's own numbers: some messages have later log times than one with a
 * higher number, after which the numbers continue. A publisher that starts counting again is different.
 */
export class LogTimeCheck implements TopicCheck {
  #highest = 0;
  #last = 0;
  #inOrder = 0;
  /** Since the numbers fell below the highest one. */
  #fallen: { readonly at: bigint; readonly number: number; messages: number } | undefined;
  #disorder: { from: bigint; to: bigint; messages: number; late: number; early: number } | undefined;

  constructor(readonly report: Report) {}

  message({ sequence, logTime }: SeenMessage): void {
    if (sequence === 0) return;
    if (sequence <= this.#highest) {
      this.#fallen ??= { at: logTime, number: sequence, messages: 0 };
      this.#fallen.messages++;
    } else {
      if (sequence === this.#highest + 1 && sequence !== this.#last + 1) this.#goesOn(logTime);
      else if (++this.#inOrder >= IN_ORDER_AGAIN) this.end();
      this.#fallen = undefined;
      this.#highest = sequence;
    }
    this.#last = sequence;
  }

  end(): void {
    if (this.#disorder === undefined) return;
    const { from, to, messages: count, late, early } = this.#disorder;
    this.#disorder = undefined;
    const text = `number ${late} has a later log time than number ${early}: the clock went back`;
    this.report({ from, to, count, text });
  }

  #goesOn(logTime: bigint): void {
    const { at, number, messages } = present(this.#fallen);
    this.#disorder ??= { from: at, to: at, messages: 0, late: number, early: this.#highest };
    this.#disorder.to = logTime;
    this.#disorder.messages += messages;
    this.#inOrder = 0;
  }
}

function ns(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}
