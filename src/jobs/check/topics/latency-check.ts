import type { SettingsOf } from '../rule-settings.js';
import { short, type Report, type SeenMessage, type TopicCheck } from '../topic-check.js';

interface Side {
  readonly limitMs: number;
  readonly isWrong: (ms: number) => boolean;
  readonly isWorse: (ms: number, than: number) => boolean;
  readonly words: string;
  messages: number;
  from: bigint;
  to: bigint;
  worst: number;
}

/** From the header's stamp to receipt: messages outside the limits, if they exceed the allowed share. */
export class LatencyCheck implements TopicCheck {
  readonly #sides: Side[] = [];
  #messages = 0;

  constructor(
    readonly settings: SettingsOf<'latency'>,
    readonly report: Report,
  ) {
    const { max_ms: max, min_ms: min } = settings;
    const none = { messages: 0, from: 0n, to: 0n, worst: 0 };
    if (max !== undefined) {
      const words = 'later than';
      this.#sides.push({ ...none, limitMs: max, words, isWrong: (ms) => ms > max, isWorse: (a, b) => a > b });
    }
    if (min !== undefined) {
      const words = 'earlier than';
      this.#sides.push({ ...none, limitMs: min, words, isWrong: (ms) => ms < min, isWorse: (a, b) => a < b });
    }
  }

  message({ stamp, logTime }: SeenMessage): void {
    if (stamp === undefined) return;
    this.#messages++;
    const ms = Number(logTime - stamp) / 1e6;
    for (const side of this.#sides) {
      if (!side.isWrong(ms)) continue;
      if (side.messages++ === 0) side.from = logTime;
      if (side.messages === 1 || side.isWorse(ms, side.worst)) side.worst = ms;
      side.to = logTime;
    }
  }

  end(): void {
    for (const { messages, from, to, worst, limitMs, words } of this.#sides) {
      if (messages === 0 || messages / this.#messages <= this.settings.share) continue;
      const share = short((100 * messages) / this.#messages);
      const text =
        `${messages} of ${this.#messages} messages (${share} %) came ${words} ${short(limitMs)} ms ` +
        `after their stamp, at worst ${short(worst)} ms`;
      this.report({ from, to, count: messages, value: worst, limit: limitMs, text });
    }
  }
}
