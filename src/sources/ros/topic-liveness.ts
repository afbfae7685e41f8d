/** When a topic that stopped counts as silent. */
export interface SilenceRule {
  /** Minimum time without a message before a topic is silent, milliseconds; 0: never. */
  readonly silentAfterMs: number;
  /** The same in usual periods of the topic; both must pass. */
  readonly periods: number;
}

/** The QoS of a topic's publishers, as far as it tells when messages come. */
export interface LivenessOffer {
  /** The latest state, sent when it changes: silence has no meaning. */
  readonly latched: boolean;
  /** Milliseconds; the shortest deadline that a publisher offers, which promises a message each time. */
  readonly deadlineMs: number | undefined;
}

/** `due`: silent, and must be subscribed to again now. `returned`: it was silent, and a message came. */
export type LivenessVerdict = 'lively' | 'due' | 'silent' | 'returned';

/** Number of intervals that define the usual period, the newest ones. */
const INTERVALS = 32;
/** Minimum number of intervals for a usual period. */
const INTERVALS_LEAST = 10;
/** Topics with a longer usual period are not judged. */
const RARE_MS = 60_000;
/** A topic is steady if nine of ten intervals are at most this many usual periods long. */
const STEADY = 4;
/** Silence begins at this many times the longest interval. */
const LONGEST_TIMES = 3;
/** Silence begins at this many promised deadlines, because a single message may be late. */
const DEADLINE_TIMES = 2;
/**
 * Number of past silences remembered, the newest ones. From the second on they show how long the topic
 * normally pauses.
 */
const PAUSES = 8;
const PAUSE_TIMES = 2;
/** Pauses between new subscriptions, milliseconds: doubled each time. */
const RETRY_MS = 10_000;
const RETRY_MAX_MS = 300_000;

/**
 * Judges whether one topic still sends as usual. Times are milliseconds of a clock that runs only while
 * messages can be received. The usual period is the median of the last intervals, so one late message changes
 * nothing. Only steady topics are judged: not rare ones, and not those that come in bursts, unless a deadline
 * is offered.
 */
export class TopicLiveness {
  readonly #rule: SilenceRule;
  #arrived = 0;
  #lastMs: number | undefined;
  #intervals: number[] = [];
  #pauses: number[] = [];
  #silentSinceMs: number | undefined;
  #retryMs = 0;
  #retryAtMs = 0;

  constructor(rule: SilenceRule) {
    this.#rule = rule;
  }

  /** A message came. */
  arrived(): void {
    this.#arrived++;
  }

  /** While it is silent: since when, on the clock of {@link tick}. */
  get silentSinceMs(): number | undefined {
    return this.#silentSinceMs;
  }

  /** The usual period, milliseconds; undefined if it is unknown or does not exist. */
  get usualMs(): number | undefined {
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    if (sorted.length < INTERVALS_LEAST) return undefined;
    const median = sorted[Math.floor(sorted.length / 2)]!;
    const ninth = sorted[Math.floor(sorted.length * 0.9)]!;
    return median <= RARE_MS && ninth <= STEADY * median ? median : undefined;
  }

  /** Call it now and then; intervals are as exact as the calls. */
  tick(nowMs: number, offer: LivenessOffer): LivenessVerdict {
    if (this.#arrived > 0) return this.#heard(nowMs);
    this.#lastMs ??= offer.deadlineMs === undefined ? undefined : nowMs;
    if (this.#silentSinceMs !== undefined) return this.#stillSilent(nowMs);
    if (this.#lastMs === undefined || this.#rule.silentAfterMs === 0) return 'lively';
    const forMs = nowMs - this.#lastMs;
    if (forMs < this.#rule.silentAfterMs || forMs < this.#limitMs(offer)) return 'lively';
    this.#silentSinceMs = this.#lastMs;
    this.#retryMs = RETRY_MS;
    this.#retryAtMs = nowMs + RETRY_MS;
    return 'due';
  }

  /** It has no publishers any more, or other ones, so the learned values no longer apply. */
  forget(): void {
    this.#arrived = 0;
    this.#lastMs = this.#silentSinceMs = undefined;
    this.#intervals = [];
    this.#pauses = [];
  }

  #heard(nowMs: number): LivenessVerdict {
    this.#arrived = 0;
    const last = this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#silentSinceMs !== undefined) {
      keep(this.#pauses, nowMs - this.#silentSinceMs, PAUSES);
      this.#silentSinceMs = undefined;
      return 'returned';
    }
    if (last !== undefined) keep(this.#intervals, nowMs - last, INTERVALS);
    return 'lively';
  }

  #stillSilent(nowMs: number): LivenessVerdict {
    if (nowMs < this.#retryAtMs) return 'silent';
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
    this.#retryAtMs = nowMs + this.#retryMs;
    return 'due';
  }

  /** Infinite for a topic that may pause for any time. */
  #limitMs({ latched, deadlineMs }: LivenessOffer): number {
    if (deadlineMs !== undefined) return DEADLINE_TIMES * deadlineMs;
    const usual = latched ? undefined : this.usualMs;
    if (usual === undefined) return Infinity;
    const pauses = [...this.#pauses].sort((a, b) => a - b);
    const pause = pauses.length < 2 ? 0 : PAUSE_TIMES * pauses[Math.floor(pauses.length / 2)]!;
    return Math.max(this.#rule.periods * usual, LONGEST_TIMES * Math.max(...this.#intervals), pause);
  }
}

function keep(values: number[], value: number, most: number): void {
  values.push(value);
  if (values.length > most) values.shift();
}
