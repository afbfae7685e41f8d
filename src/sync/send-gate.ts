import type { Clock } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import { isAborted } from '../core/is-aborted.js';
import type { Logger } from '../core/logger.js';
import type { Alternative } from '../core/send-policy/condition.js';
import { judge, reasonOf, type Verdict } from '../core/send-policy/evaluate.js';
import {
  unknownNetwork,
  type Fact,
  type NetworkFacts,
  type NetworkSource,
} from '../core/send-policy/facts.js';
import { localTime } from '../core/send-policy/local-time.js';
import type { PassClass } from '../core/send-policy/send-class.js';
import type { TopicValue } from '../core/send-policy/topic-values.js';
import type { SegmentEntry } from './segment-table.js';
import { SendingWaits } from './sending-waits.js';
import type { SpendLedger } from './spend-ledger.js';
import type { SyncOptions } from './sync-options.js';
import type { SinkSpec } from './sync-sink.js';
import { WakeUp } from './wake-up.js';

/** A source that does not answer in this time tells nothing. */
const READ_TIMEOUT_MS = 5_000;
const IDLE_WAIT_MS = 3_600_000;
/** Share of a budget that the file may count too much after a kill. */
const SLACK_SHARE = 1 / 64;

/** The parts of the policy of one sink: its own, or those of the process. */
export interface SendPolicy {
  readonly when: readonly Alternative[];
  /** 0: none. */
  readonly budgetBytesPerDay: number;
  readonly pass: readonly PassClass[];
}

export interface SendGateParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The present ones. */
  readonly options: () => SyncOptions;
  readonly sink: SinkSpec;
  readonly network: NetworkSource;
  /** What the recorder says about the topics of conditions. */
  readonly topicValues: () => Promise<Fact<readonly TopicValue[]>>;
  readonly ledger: SpendLedger;
  readonly changed: () => void;
  readonly isMarked: (entry: SegmentEntry) => boolean;
  readonly isRequested: (entry: SegmentEntry) => boolean;
}

/**
 * Decides what may be sent now: conditions of `sync.when`, the budget of the day, and the classes that pass
 * both. It is asked before each segment, and again for each part at the moment when its bytes leave.
 *
 * A budget is never exceeded by segments that do not pass: a part that does not fit ends the day for them,
 * so that a smaller segment does not overtake. Only a part larger than a whole budget goes, as the first of a
 * day; otherwise it would never go.
 */
export class SendGate {
  readonly #parts: SendGateParts;
  readonly #wakeUp = new WakeUp();
  #facts: NetworkFacts = unknownNetwork('not asked yet');
  #topicValues: Fact<readonly TopicValue[]> = { unknown: 'not asked yet' };
  /** Day and budget for which a part did not fit. */
  #full = '';
  #told: boolean | undefined;
  #since: bigint;

  constructor(parts: SendGateParts) {
    this.#parts = parts;
    this.#since = parts.clock.now();
  }

  get policy(): SendPolicy {
    const { sink } = this.#parts;
    const options = this.#parts.options();
    return {
      when: sink.when ?? options.when,
      budgetBytesPerDay: sink.budgetBytesPerDay ?? options.budgetBytesPerDay,
      pass: sink.pass ?? options.pass,
    };
  }

  /** The local day that the budget counts. */
  get day(): string {
    return this.#localTime.day;
  }

  get spentBytes(): number {
    return this.#parts.ledger.spentOn(this.day);
  }

  /** The conditions as they are now. */
  get verdict(): Verdict {
    const { clock, options } = this.#parts;
    const { topicMaxAgeMs: maxAgeMs } = options();
    const topics = { values: this.#topicValues, nowNs: clock.now(), maxAgeMs };
    return judge(this.policy.when, { ...this.#facts, minute: this.#localTime.minute, topics });
  }

  /** Since when segments that do not pass wait, or do not; wall clock. */
  get since(): bigint {
    return this.#since;
  }

  /** Why segments that do not pass wait; undefined: they do not. */
  get reason(): string | undefined {
    const { verdict } = this;
    if (!verdict.met) return reasonOf(verdict);
    const { budgetBytesPerDay: budget } = this.policy;
    if (!this.#isSpent(budget)) return undefined;
    return `the budget of ${this.day} is spent (${this.spentBytes} of ${budget} bytes)`;
  }

  passes(entry: SegmentEntry): boolean {
    const { isMarked, isRequested } = this.#parts;
    return this.policy.pass.some((one) => {
      if (one === 'high') return entry.priority === 'high';
      return one === 'events' ? isMarked(entry) : isRequested(entry);
    });
  }

  /** Which segments may begin a turn now. */
  admission(): (entry: SegmentEntry) => boolean {
    return this.reason === undefined ? () => true : (entry) => this.passes(entry);
  }

  /** Throws `SendingWaits` if bytes of this segment may not leave now. */
  check(entry: SegmentEntry, bytes: number): void {
    if (this.passes(entry)) return;
    const { budgetBytesPerDay: budget } = this.policy;
    if (budget > 0 && this.reason === undefined) {
      const { spentBytes } = this;
      const isFirst = spentBytes === 0 && bytes > budget;
      if (spentBytes + bytes > budget && !isFirst) this.#full = this.#fullKey(budget);
    }
    const { reason } = this;
    if (reason !== undefined) throw new SendingWaits(reason);
  }

  /** The same, and counts the bytes durably before they leave. */
  async take(entry: SegmentEntry, bytes: number): Promise<void> {
    this.check(entry, bytes);
    const { day } = this;
    const { ledger } = this.#parts;
    const { budgetBytesPerDay: budget } = this.policy;
    ledger.add(day, bytes);
    if (budget > 0) await ledger.cover(day, Math.max(bytes, Math.floor(budget * SLACK_SHARE)));
  }

  /** The options changed. */
  reconfigure(): void {
    this.#wakeUp.notify();
  }

  /** Asks for the facts until the signal aborts, and reports when sending begins or ends to be allowed. */
  async run(signal: AbortSignal, onChange: () => void): Promise<void> {
    const { clock, options } = this.#parts;
    while (!signal.aborted) {
      await this.#read(signal);
      if (isAborted(signal)) return;
      this.#tell(onChange);
      const { when, budgetBytesPerDay: budget } = this.policy;
      const hasPolicy = when.length > 0 || budget > 0;
      await this.#wakeUp.wait(clock, hasPolicy ? options().conditionPollMs : IDLE_WAIT_MS, signal);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { network, topicValues } = this.#parts;
    const kinds = new Set(this.policy.when.flatMap(({ conditions }) => conditions.map(({ kind }) => kind)));
    const readNetwork = async (): Promise<void> => {
      this.#facts = await this.#inTime((within) => network.read(within), unknownNetwork, signal);
    };
    const readTopics = async (): Promise<void> => {
      this.#topicValues = await this.#inTime(topicValues, (why) => ({ unknown: why }), signal);
    };
    const needsNetwork = [...kinds].some((kind) => kind !== 'hours' && kind !== 'topic');
    await Promise.all([needsNetwork && readNetwork(), kinds.has('topic') && readTopics()]);
  }

  /** What the source answers; if it fails, or not in time, what is then known. */
  async #inTime<T>(
    read: (within: AbortSignal) => Promise<T>,
    unknown: (why: string) => T,
    signal: AbortSignal,
  ): Promise<T> {
    const ended = new AbortController();
    const within = AbortSignal.any([signal, ended.signal]);
    const late = this.#parts.clock
      .sleep(READ_TIMEOUT_MS, ended.signal)
      .then(() => unknown(`no answer in ${READ_TIMEOUT_MS} ms`));
    late.catch(() => undefined);
    try {
      return await Promise.race([read(within), late]);
    } catch (error) {
      return unknown(describeError(error));
    } finally {
      ended.abort();
    }
  }

  #tell(onChange: () => void): void {
    const { clock, logger, sink, changed } = this.#parts;
    const { reason } = this;
    const isOpen = reason === undefined;
    if (isOpen === this.#told) return;
    this.#since = clock.now();
    if (!isOpen) logger.info('segments wait', { sink: sink.name, reason });
    else if (this.#told !== undefined) logger.info('segments are sent again', { sink: sink.name });
    this.#told = isOpen;
    changed();
    onChange();
  }

  get #localTime(): ReturnType<typeof localTime> {
    const { clock, options } = this.#parts;
    return localTime(clock.now(), options().timeZone);
  }

  #isSpent(budget: number): boolean {
    return budget > 0 && (this.#full === this.#fullKey(budget) || this.spentBytes >= budget);
  }

  #fullKey(budget: number): string {
    return `${this.day} ${budget}`;
  }
}
