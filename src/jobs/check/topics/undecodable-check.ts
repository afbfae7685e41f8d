import type { SettingsOf } from '../rule-settings.js';
import type { Report, SeenMessage, TopicCheck } from '../topic-check.js';

/** Messages that do not match their own definition. */
export class UndecodableCheck implements TopicCheck {
  #messages = 0;
  #from = 0n;
  #to = 0n;
  #reason = '';
  #misfits = 0;

  constructor(
    readonly settings: SettingsOf<'undecodable'>,
    readonly report: Report,
  ) {}

  message({ problem, misfit, logTime }: SeenMessage): void {
    const reason = problem ?? misfit;
    if (reason === undefined) return;
    if (problem === undefined) this.#misfits++;
    if (this.#messages++ === 0) {
      this.#from = logTime;
      this.#reason = reason;
    }
    this.#to = logTime;
  }

  end(): void {
    const limit = this.settings.max_messages;
    if (this.#messages <= limit) return;
    const count = this.#messages;
    const [subject, fits] = count === 1 ? ['1 message', 'does'] : [`${count} messages`, 'do'];
    const fault = this.#misfits === count ? `${fits} not fit their definition` : 'cannot be decoded';
    const text = `${subject} ${fault}: ${this.#reason}`;
    this.report({ from: this.#from, to: this.#to, count, value: count, limit, text });
  }
}
