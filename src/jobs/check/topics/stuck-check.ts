import { lasted, UnchangedRun, type MessageRun } from '../../../core/quality/unchanged-run.js';
import { contentHash } from '../../../recordings/quality/content-hash.js';
import type { MessageFields } from '../../../recordings/quality/message-fields.js';
import type { SettingsOf } from '../rule-settings.js';
import { spanText, type Report, type SeenMessage, type TopicCheck } from '../topic-check.js';
import { FieldCheck, type WatchedField } from './field-check.js';

/** Values that do not change: each field separately, or all of them together. */
export class StuckCheck extends FieldCheck {
  #before: Float64Array = new Float64Array(0);
  #names: readonly string[] = [];
  #runs: UnchangedRun[] = [];

  constructor(
    readonly settings: SettingsOf<'stuck'>,
    readonly report: Report,
  ) {
    super(settings.fields);
  }

  override end(): void {
    this.#runs.forEach((run, index) => this.#tell(run.current, index));
  }

  protected override wants({ listed }: { readonly listed: boolean }): boolean {
    return !listed;
  }

  protected override changed(watched: readonly WatchedField[]): void {
    this.end();
    this.#before = new Float64Array(watched.length);
    this.#names = watched.map(({ name }) => name);
    this.#runs = Array.from(this.settings.together ? watched.slice(0, 1) : watched, () => new UnchangedRun());
  }

  protected override look(fields: MessageFields, watched: readonly WatchedField[], logTime: bigint): void {
    let all = true;
    watched.forEach(({ index }, at) => {
      const value = fields.value(index);
      const same = Object.is(value, this.#before[at]);
      this.#before[at] = value;
      all &&= same;
      if (!this.settings.together) this.#tell(this.#runs[at]!.step(same, logTime), at);
    });
    if (this.settings.together) this.#tell(this.#runs[0]!.step(all, logTime), 0);
  }

  #tell(run: MessageRun | undefined, at: number): void {
    const { for_s: forS, min_messages: atLeast, together } = this.settings;
    if (run === undefined || !lasted(run, seconds(forS), atLeast)) return;
    const field = together ? this.#names.join(' ') : this.#names[at]!;
    this.report({ field, ...facts(run, forS), text: `does not change for ${lengthOf(run)}` });
  }
}

/** The same content repeatedly: a camera that hangs. */
export class FrozenCheck implements TopicCheck {
  readonly #run = new UnchangedRun();
  #hash = 0;
  #bytes = -1;

  constructor(
    readonly settings: SettingsOf<'frozen'>,
    readonly report: Report,
  ) {}

  message({ data, hasHeader, logTime }: SeenMessage): void {
    const hash = contentHash(data, hasHeader);
    const same = hash === this.#hash && data.byteLength === this.#bytes;
    this.#hash = hash;
    this.#bytes = data.byteLength;
    this.#tell(this.#run.step(same, logTime));
  }

  end(): void {
    this.#tell(this.#run.current);
  }

  #tell(run: MessageRun | undefined): void {
    const { for_s: forS, min_messages: atLeast } = this.settings;
    if (run === undefined || !lasted(run, seconds(forS), atLeast)) return;
    this.report({ ...facts(run, forS), text: `the same content for ${lengthOf(run)}` });
  }
}

function facts(
  run: MessageRun,
  limit: number,
): { count: number; value: number; limit: number } & Omit<MessageRun, 'messages'> {
  const { from, to, messages } = run;
  return { from, to, count: messages, value: Number(to - from) / 1e9, limit };
}

function lengthOf({ from, to, messages }: MessageRun): string {
  return `${spanText(to - from)} (${messages} messages)`;
}

function seconds(s: number): bigint {
  return BigInt(Math.round(s * 1e9));
}
