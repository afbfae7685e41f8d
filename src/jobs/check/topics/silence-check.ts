import { ThinnedSample } from '../../../core/quality/thinned-sample.js';
import { present } from '../../../core/present.js';
import type { SettingsOf } from '../rule-settings.js';
import { short, spanText, type Report, type SeenMessage, type TopicCheck } from '../topic-check.js';

const SAMPLE = 512;
/** Topics with fewer intervals have no usual interval. */
const MIN_INTERVALS = 20;
/** A topic is periodic if nine of ten intervals are at most this many usual intervals long. */
const PERIODIC_FACTOR = 4;
/** Number of long intervals kept until the usual one is known; the first ones. */
const MAX_LONG = 1000;

interface Interval {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Times without a message: longer than `max_s`; otherwise longer than `factor` times the usual interval of a
 * steady topic, and at least `min_s`.
 */
export class SilenceCheck implements TopicCheck {
  readonly #intervals = new ThinnedSample(SAMPLE);
  readonly #long: Interval[] = [];
  #last: bigint | undefined;

  constructor(
    readonly settings: SettingsOf<'silence'>,
    readonly report: Report,
  ) {}

  message({ logTime }: SeenMessage): void {
    if (this.#last !== undefined) {
      this.#intervals.add(Number(logTime - this.#last));
      this.#look({ from: this.#last, to: logTime });
    }
    this.#last = logTime;
  }

  end(until: bigint): void {
    if (this.#last === undefined) return;
    this.#look({ from: this.#last, to: until });
    const { factor, max_s: maxS } = this.settings;
    const usual = this.#intervals.quantile(0.5) ?? 0;
    const isPeriodic =
      this.#intervals.kept >= MIN_INTERVALS &&
      present(this.#intervals.quantile(0.9)) <= PERIODIC_FACTOR * usual;
    for (const { from, to } of this.#long) {
      const ns = Number(to - from);
      const [limit, why] =
        maxS === undefined
          ? [(factor * usual) / 1e9, `usually ${short(usual / 1e6)} ms between two`]
          : [maxS, `at most ${short(maxS)} s allowed`];
      if (maxS === undefined && !(isPeriodic && ns > factor * usual)) continue;
      const text = `no message for ${spanText(to - from)}${to === until ? ' until the end' : ''}, ${why}`;
      this.report({ from, to, value: ns / 1e9, limit, text });
    }
  }

  #look(interval: Interval): void {
    const { max_s: maxS, min_s: minS } = this.settings;
    const isLong = Number(interval.to - interval.from) / 1e9 > (maxS ?? minS);
    if (isLong && this.#long.length < MAX_LONG) this.#long.push(interval);
  }
}
