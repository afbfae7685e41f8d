import { RobustWindow } from '../../../core/quality/robust-window.js';
import { present } from '../../../core/present.js';
import type { MessageFields } from '../../../recordings/quality/message-fields.js';
import type { SettingsOf } from '../rule-settings.js';
import { short, type Report } from '../topic-check.js';
import { BadMessageRun, type BadMessages } from './bad-messages.js';
import { FieldCheck, type WatchedField } from './field-check.js';

/** Checks of single values: consecutive messages with a wrong value in one field are one finding. */
abstract class ValueCheck extends FieldCheck {
  readonly #runs = new Map<string, BadMessageRun>();

  constructor(
    patterns: readonly string[],
    readonly report: Report,
  ) {
    super(patterns);
  }

  override end(): void {
    for (const run of this.#runs.values()) run.end();
  }

  protected override look(fields: MessageFields, watched: readonly WatchedField[], logTime: bigint): void {
    for (const field of watched) {
      const wrong = this.wrong(fields, field);
      if (wrong !== undefined) this.#runOf(field.name).bad(logTime, wrong);
      else this.#runs.get(field.name)?.end();
    }
  }

  /** The worst value of a message, if one is wrong. */
  protected abstract wrong(fields: MessageFields, field: WatchedField): number | undefined;
  protected abstract tell(field: string, run: BadMessages): void;
  protected isWorse(value: number, than: number): boolean {
    return value > than;
  }

  #runOf(field: string): BadMessageRun {
    let run = this.#runs.get(field);
    if (run === undefined) {
      run = new BadMessageRun(
        (bad) => this.tell(field, bad),
        (value, than) => this.isWorse(value, than),
      );
      this.#runs.set(field, run);
    }
    return run;
  }
}

function messagesText(count: number): string {
  return count === 1 ? '1 message' : `${count} messages`;
}

/** NaN and infinities where numbers should be. */
export class NotFiniteCheck extends ValueCheck {
  readonly #nan: boolean;
  readonly #inf: boolean;

  constructor({ fields, allow }: SettingsOf<'not_finite'>, report: Report) {
    super(fields, report);
    this.#nan = !allow.includes('nan');
    this.#inf = !allow.includes('inf');
  }

  protected override wants({ floating }: { readonly floating: boolean }): boolean {
    return floating;
  }

  protected override wrong(fields: MessageFields, { index }: WatchedField): number | undefined {
    const count = fields.count(index);
    for (let i = 0; i < count; i++) {
      const value = fields.value(index, i);
      if (Number.isFinite(value)) continue;
      if (Number.isNaN(value) ? this.#nan : this.#inf) return value;
    }
    return undefined;
  }

  protected override tell(field: string, { from, to, messages, worst }: BadMessages): void {
    const what = Number.isNaN(worst) ? 'NaN' : 'an infinite value';
    this.report({ from, to, field, count: messages, text: `${what} in ${messagesText(messages)}` });
  }
}

/** Values outside of limits. */
export class LimitCheck extends ValueCheck {
  constructor(
    readonly settings: SettingsOf<'limit'>,
    report: Report,
  ) {
    super(settings.fields, report);
  }

  protected override wrong(fields: MessageFields, { index }: WatchedField): number | undefined {
    const count = fields.count(index);
    for (let i = 0; i < count; i++) {
      const value = fields.value(index, i);
      if (this.#excess(value) > 0) return value;
    }
    return undefined;
  }

  protected override isWorse(value: number, than: number): boolean {
    return this.#excess(value) > this.#excess(than);
  }

  protected override tell(field: string, { from, to, messages, worst }: BadMessages): void {
    const { min, max } = this.settings;
    const limit = max !== undefined && worst > max ? max : present(min);
    const text =
      `${short(worst)} in ${messagesText(messages)}, ` +
      `${worst > limit ? 'at most' : 'at least'} ${short(limit)} allowed`;
    this.report({ from, to, field, count: messages, value: worst, limit, text });
  }

  #excess(value: number): number {
    const { min, max } = this.settings;
    return Math.max(max === undefined ? 0 : value - max, min === undefined ? 0 : min - value);
  }
}

/** Values far from the previous ones: the robust z-score. */
export class OutlierCheck extends ValueCheck {
  readonly #windows = new Map<string, RobustWindow>();

  constructor(
    readonly settings: SettingsOf<'outlier'>,
    report: Report,
  ) {
    super(settings.fields, report);
  }

  protected override wants({ listed }: { readonly listed: boolean }): boolean {
    return !listed;
  }

  protected override changed(): void {
    this.#windows.clear();
  }

  protected override wrong(fields: MessageFields, { index, name }: WatchedField): number | undefined {
    let window = this.#windows.get(name);
    if (window === undefined) {
      this.#windows.set(name, (window = new RobustWindow(this.settings.window)));
    }
    const value = fields.value(index);
    const score = window.count < this.settings.min_messages ? undefined : window.score(value);
    window.add(value);
    return score !== undefined && score > this.settings.score ? score : undefined;
  }

  protected override tell(field: string, { from, to, messages, worst }: BadMessages): void {
    const { score } = this.settings;
    const text = `${short(worst)} deviations off in ${messagesText(messages)}, at most ${short(score)} allowed`;
    this.report({ from, to, field, count: messages, value: worst, limit: score, text });
  }
}
