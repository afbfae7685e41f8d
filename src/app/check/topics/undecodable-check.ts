import type { SettingsOf } from '../rule-settings.js';
import type { Report, SeenMessage, TopicCheck } from '../topic-check.js';

/** Messages that do not follow their own definition. */
export class UndecodableCheck implements TopicCheck {
  #messages = 0;
  #from = 0n;
  #to = 0n;
  #reason = '';

  constructor(
    readonly settings: SettingsOf<'undecodable'>,
    readonly report: Report,
  ) {}

  message({ problem, logTime }: SeenMessage): void {
    if (problem === undefined) return;
    if (this.#messages++ === 0) {
      this.#from = logTime;
      this.#reason = problem;
    }
    this.#to = logTime;
  }

  end(): void {
    const limit = this.settings.max_messages;
    if (this.#messages <= limit) return;
    const count = this.#messages;
    const text = `${count === 1 ? '1 message' : `${count} messages`} cannot be decoded: ${this.#reason}`;
    this.report({ from: this.#from, to: this.#to, count, value: count, limit, text });
  }
}
