import { defined } from '../../core/defined.js';
import { isLatched } from '../../core/mcap/carried.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { jazzyProfiles } from '../../core/mcap/qos-profiles.js';
import {
  TIME_BUCKETS,
  type LatencyFacts,
  type Silence,
  type TopicFacts,
} from '../../exporters/report/report-data.js';
import { BucketSeries } from './bucket-series.js';
import { LongestIntervals } from './longest-intervals.js';
import type { TimeSpan } from './time-span.js';
import { ValueHistogram } from './value-histogram.js';

/** With fewer messages a rate has no meaning. */
const RATE_MIN_MESSAGES = 5;
/** Shorter silences are not reported, seconds. */
const SILENCE_MIN_S = 1;
/** A silence is longer than this many usual intervals. */
const SILENCE_MEDIANS = 5;
/** And longer than this many times the 90 % quantile of the intervals: bursts have pauses between them. */
const SILENCE_P90S = 3;
/** Intervals that differ by more come in bursts. */
const BURST_RATIO = 3;
const LATENCY_BINS = 40;

/** Counts of one topic of one robot, for any content. */
export class TopicCollector {
  messages = 0;
  carried = 0;
  bytes = 0;
  undecoded = 0;
  misfits = 0;
  reason: string | undefined;
  readonly latched: boolean;
  readonly #declaredHz: number | undefined;
  readonly #counts = new Uint32Array(TIME_BUCKETS);
  readonly #intervals = new ValueHistogram();
  readonly #longest = new LongestIntervals();
  readonly #latency = new ValueHistogram();
  readonly #latencySeries = new BucketSeries();
  #unset = 0;
  #first: bigint | undefined;
  #last: bigint | undefined;

  constructor(
    readonly robot: string,
    readonly robotIndex: number,
    readonly channel: McapChannel,
    readonly span: TimeSpan,
  ) {
    this.latched = isLatched(channel);
    this.#declaredHz = declaredRateHz(channel.metadata['offered_qos_profiles']);
  }

  add(logTime: bigint, bucket: number, bytes: number): void {
    this.messages++;
    this.bytes += bytes;
    this.#counts[bucket]!++;
    if (this.#last === undefined) {
      this.#first = logTime;
    } else {
      const intervalMs = Number(logTime - this.#last) / 1e6;
      this.#intervals.add(intervalMs);
      this.#longest.add(intervalMs, logTime);
    }
    this.#last = logTime;
  }

  addUndecoded(reason: string): void {
    this.undecoded++;
    this.reason ??= reason;
  }

  /** @param stamp of the header, nanoseconds since the Unix epoch; 0: not set */
  addStamp(logTime: bigint, bucket: number, stamp: bigint): void {
    if (stamp === 0n) {
      this.#unset++;
      return;
    }
    const latencyMs = Number(logTime - stamp) / 1e6;
    this.#latency.add(latencyMs);
    this.#latencySeries.add(bucket, latencyMs);
  }

  facts(): TopicFacts {
    const { channel, robot, messages, carried, bytes, undecoded, misfits, reason, latched, span } = this;
    const expected = this.#expected();
    const silenceAfterS = expected === undefined ? undefined : this.#silenceAfterS(expected.hz);
    const latency = this.#latencyFacts();
    return {
      robot,
      topic: channel.topic,
      type: channel.schema.name,
      encoding: channel.encoding,
      latched,
      messages,
      carried,
      bytes,
      ...(this.#first === undefined ? {} : { firstS: span.seconds(this.#first) }),
      ...(this.#last === undefined ? {} : { lastS: span.seconds(this.#last) }),
      counts: this.#counts,
      rateHz: span.lengthNs > 1 ? messages / span.lengthS : 0,
      ...defined({ expected }),
      silences: silenceAfterS === undefined ? [] : this.#silences(silenceAfterS),
      ...defined({ silenceAfterS }),
      undecoded,
      misfits,
      ...defined({ reason, latency }),
    };
  }

  #expected(): TopicFacts['expected'] {
    if (this.latched) return undefined;
    if (this.#declaredHz !== undefined) return { hz: this.#declaredHz, how: 'declared' };
    const median = this.#intervals.quantile(0.5);
    const p90 = this.#intervals.quantile(0.9);
    if (this.messages < RATE_MIN_MESSAGES || !(p90 > 0)) return undefined;
    // Several publishers at once, or bursts: the usual interval does not show the rate.
    const isBursty = p90 > BURST_RATIO * median;
    return { hz: 1_000 / (isBursty ? this.#intervals.meanUpTo(SILENCE_P90S * p90) : median), how: 'median' };
  }

  #silenceAfterS(expectedHz: number): number {
    const p90S = this.messages < RATE_MIN_MESSAGES ? 0 : this.#intervals.quantile(0.9) / 1_000;
    return Math.max(SILENCE_MIN_S, SILENCE_MEDIANS / expectedHz, SILENCE_P90S * p90S);
  }

  #silences(afterS: number): Silence[] {
    const { span } = this;
    const found: Silence[] = this.#longest
      .list()
      .filter(({ ms }) => ms / 1_000 > afterS)
      .map(({ ms, end }) => {
        const toS = span.seconds(end);
        return { fromS: toS - ms / 1_000, toS, kind: 'silence' };
      });
    const [firstS, lastS] = [span.seconds(this.#first ?? span.endNs), span.seconds(this.#last ?? span.endNs)];
    if (firstS > afterS) found.push({ fromS: 0, toS: firstS, kind: 'late start' });
    if (span.lengthS - lastS > afterS) found.push({ fromS: lastS, toS: span.lengthS, kind: 'early end' });
    return found.sort((a, b) => b.toS - b.fromS - (a.toS - a.fromS) || a.fromS - b.fromS);
  }

  #latencyFacts(): LatencyFacts | undefined {
    const all = this.#latency;
    if (all.count === 0 && this.#unset === 0) return undefined;
    const [p1, p99] = [all.quantile(0.01), all.quantile(0.99)];
    // A few outliers would leave one bin for all others.
    const from = all.count === 0 ? 0 : Math.max(all.min, p1 - (p99 - p1) / 2);
    const to = all.count === 0 ? 1 : Math.max(Math.min(all.max, p99 + (p99 - p1) / 2), from + 1e-3);
    return {
      count: all.count,
      unset: this.#unset,
      minMs: all.min,
      p50Ms: all.quantile(0.5),
      p95Ms: all.quantile(0.95),
      p99Ms: p99,
      maxMs: all.max,
      series: this.#latencySeries.facts('receipt minus header stamp', this.robotIndex),
      bins: all.bins(from, to, LATENCY_BINS),
      boundsMs: Array.from({ length: LATENCY_BINS + 1 }, (_, i) => from + ((to - from) * i) / LATENCY_BINS),
    };
  }
}

/** A publisher that offers a deadline declares a minimum rate. */
function declaredRateHz(profiles: string | undefined): number | undefined {
  let shortestS = Infinity;
  for (const { deadline } of jazzyProfiles(profiles)) {
    const { sec, nsec } = deadline as { sec: bigint | number; nsec: bigint | number };
    const seconds = Number(sec) + Number(nsec) / 1e9;
    if (seconds > 0) shortestS = Math.min(shortestS, seconds);
  }
  // Infinite is written as 292 years.
  return shortestS < 86_400 * 365 ? 1 / shortestS : undefined;
}
