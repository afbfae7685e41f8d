import { RateWindows, rateOf, type RateWindow } from '../../../core/quality/rate-windows.js';
import { present } from '../../../core/present.js';
import type { SettingsOf } from '../rule-settings.js';
import { short, type Report, type SeenMessage, type TopicCheck } from '../topic-check.js';

/** Messages per second in windows; consecutive windows with the same fault are one finding. */
export class RateCheck implements TopicCheck {
  readonly #windows: RateWindows;
  #first: bigint | undefined;
  #last = 0n;
  #messages = 0;
  #isClosed = false;
  #wrong: { from: bigint; to: bigint; messages: number; kind: 'below' | 'above' } | undefined;

  constructor(
    readonly settings: SettingsOf<'rate'>,
    readonly report: Report,
  ) {
    this.#windows = new RateWindows(BigInt(Math.round(settings.window_s * 1e9)));
  }

  message({ logTime }: SeenMessage): void {
    this.#close(logTime);
    this.#windows.add(logTime);
    this.#first ??= logTime;
    this.#last = logTime;
    this.#messages++;
  }

  end(until: bigint): void {
    this.#close(until);
    // Too short for a single window: use what there is.
    if (!this.#isClosed && this.#first !== undefined && this.#messages > 1) {
      this.#judge({ from: this.#first, to: this.#last, messages: this.#messages - 1 });
    }
    this.#tell();
  }

  #close(time: bigint): void {
    for (const window of this.#windows.close(time)) {
      this.#isClosed = true;
      this.#judge(window);
    }
  }

  #judge(window: RateWindow): void {
    const { min_hz: min, max_hz: max } = this.settings;
    const rate = rateOf(window);
    const kind =
      min !== undefined && rate < min ? 'below' : max !== undefined && rate > max ? 'above' : undefined;
    if (kind !== this.#wrong?.kind) this.#tell();
    if (kind === undefined) return;
    this.#wrong ??= { from: window.from, to: window.from, messages: 0, kind };
    this.#wrong.to = window.to;
    this.#wrong.messages += window.messages;
  }

  #tell(): void {
    const wrong = this.#wrong;
    if (wrong === undefined) return;
    this.#wrong = undefined;
    const { from, to, messages, kind } = wrong;
    const value = rateOf(wrong);
    const limit = present(kind === 'below' ? this.settings.min_hz : this.settings.max_hz);
    const text = `${short(value)} Hz, ${kind === 'below' ? 'at least' : 'at most'} ${short(limit)} Hz expected`;
    this.report({ from, to, count: messages, value, limit, text });
  }
}
