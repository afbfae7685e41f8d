import type { StageCounts } from '../../core/derivation.js';
import type { TransformRule } from '../../core/transform/rule.js';

/** What one rule did to the messages of one segment. */
export class StageTally implements StageCounts {
  unchanged = 0;
  changed = 0;
  dropped = 0;
  made = 0;

  /** Counts a message that the rule has passed on, by its payload before and after. */
  passed(before: Uint8Array, after: Uint8Array): void {
    if (before === after || Buffer.compare(before, after) === 0) this.unchanged++;
    else this.changed++;
  }

  counts(): StageCounts {
    const { unchanged, changed, dropped, made } = this;
    return { unchanged, changed, dropped, made };
  }
}

/** The tallies of all rules. Carried messages repeat those of earlier segments, so they do not count. */
export class StageTallies {
  readonly #tallies = new Map<TransformRule, StageTally>();
  readonly #uncounted = new StageTally();

  /** @param isCarried - The message is a carried one. */
  of(rule: TransformRule, isCarried: boolean): StageTally {
    if (isCarried) return this.#uncounted;
    let tally = this.#tallies.get(rule);
    if (!tally) this.#tallies.set(rule, (tally = new StageTally()));
    return tally;
  }
}
