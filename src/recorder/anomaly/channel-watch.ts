import type { Channel, Message } from '../../core/message.js';
import { describeError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import type { AnomalyRule } from '../../settings/anomaly-rule.js';
import { beginsWithHeader, contentHash } from '../../recordings/quality/content-hash.js';
import { MessageFields } from '../../recordings/quality/message-fields.js';
import { matches } from '../../recordings/message-filter.js';
import { RateDetector } from './rate-detector.js';
import { ValueDetector } from './value-detector.js';

/** An anomaly that begins. */
export interface Sighting {
  readonly rule: AnomalyRule;
  readonly robot: string;
  readonly topic: string;
  readonly text: string;
}

/** Maximum number of fields of one topic for one rule. */
const MAX_FIELDS = 64;

interface WatchedField {
  readonly rule: AnomalyRule;
  readonly name: string;
  /** Path in the decoded message; absent: the content as a whole. */
  readonly index?: number;
  readonly detector: ValueDetector;
}

/** What the rules look for in one channel. */
export class ChannelWatch {
  readonly #rates: { rule: AnomalyRule; detector: RateDetector }[] = [];
  readonly #watched: WatchedField[] = [];
  readonly #fields: MessageFields | undefined;
  readonly #hasHeader: boolean = false;
  /** Rules that cannot be applied to this channel, and why. */
  readonly problems: { readonly rule: AnomalyRule; readonly reason: string }[] = [];

  constructor(
    readonly channel: Channel,
    rules: readonly AnomalyRule[],
  ) {
    const looking: AnomalyRule[] = [];
    for (const rule of rules) {
      if (rule.condition.kind === 'rate') {
        this.#rates.push({ rule, detector: new RateDetector(rule.condition) });
      } else looking.push(rule);
    }
    if (looking.length === 0) return;
    try {
      if (channel.encoding !== 'cdr' || channel.schema.encoding !== 'ros2msg') {
        throw new Error(`only CDR described by ros2msg is looked into, not "${channel.encoding}"`);
      }
      this.#fields = new MessageFields(channel.schema);
      this.#hasHeader = beginsWithHeader(channel.schema);
      for (const rule of looking) this.#watch(rule, this.#fields);
    } catch (error) {
      for (const rule of looking) this.problems.push({ rule, reason: describeError(error) });
    }
  }

  /** Messages must be inspected, not only counted. */
  get looksInside(): boolean {
    return this.#watched.length > 0;
  }

  /** A message came; cheap. @param now of a monotonic clock */
  arrive(now: bigint, tell: (sighting: Sighting) => void): void {
    for (const { rule, detector } of this.#rates) this.#tell(rule, '', detector.arrive(now), tell);
  }

  tick(now: bigint, tell: (sighting: Sighting) => void): void {
    for (const { rule, detector } of this.#rates) this.#tell(rule, '', detector.tick(now), tell);
  }

  rest(): void {
    for (const { detector } of this.#rates) detector.rest();
  }

  /** Inspects a message. Throws an Error if it cannot be decoded. */
  look({ data, receivedAt }: Message, tell: (sighting: Sighting) => void): void {
    const fields = present(this.#fields);
    fields.decode(data);
    for (const { rule, name, index, detector } of this.#watched) {
      if (index === undefined) {
        this.#tell(rule, name, detector.see(contentHash(data, this.#hasHeader), receivedAt), tell);
        continue;
      }
      const count = fields.count(index);
      let value = count === 0 ? 0 : fields.value(index, 0);
      // For a list, the first NaN: only the condition nan looks at lists.
      for (let i = 1; i < count && Number.isFinite(value); i++) value = fields.value(index, i);
      this.#tell(rule, name, detector.see(value, receivedAt), tell);
    }
  }

  #watch(rule: AnomalyRule, { fields }: MessageFields): void {
    const { condition, field } = rule;
    if (condition.kind === 'rate') return;
    if (condition.kind === 'stuck' && field === undefined) {
      this.#watched.push({ rule, name: '', detector: new ValueDetector(condition) });
      return;
    }
    const isNan = condition.kind === 'nan';
    const named = fields
      .map((one, index) => ({ ...one, index }))
      .filter(({ name, listed, floating }) => matches([field ?? '*'], name) && (isNan ? floating : !listed));
    if (named.length === 0) {
      this.problems.push({ rule, reason: `${this.channel.schema.name} has no such number` });
    } else if (named.length > MAX_FIELDS) {
      const reason = `it means ${named.length} fields, watched are the first ${MAX_FIELDS}`;
      this.problems.push({ rule, reason });
    }
    for (const { name, index } of named.slice(0, MAX_FIELDS)) {
      this.#watched.push({ rule, name, index, detector: new ValueDetector(condition) });
    }
  }

  #tell(rule: AnomalyRule, field: string, seen: string | undefined, tell: (one: Sighting) => void): void {
    if (seen === undefined) return;
    const { robot, topic } = this.channel;
    tell({ rule, robot, topic, text: field === '' ? seen : `${field} ${seen}` });
  }
}
