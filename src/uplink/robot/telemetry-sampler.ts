import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Channel, Message } from '../../core/message.js';
import type { FieldRule } from '../../settings/field-rule.js';
import { catalogueFault, MAX_FIELDS, type FieldSpec } from '../protocol/field-spec.js';
import { fieldsOf, type TopicFields } from './topic-fields.js';

/** Receives the samples of one robot. */
export interface SampleTaker {
  /** The fields of the samples from now on. */
  fields(specs: readonly FieldSpec[]): void;
  /**
   * A value for each field, NaN for none. The array is used again.
   *
   * @param tick - Numbered from 0, without holes.
   * @param timeNs - Of the tick, on the clock of the messages. Every value was received at this time or before.
   */
  sample(tick: number, timeNs: bigint, values: Float64Array): void;
}

export interface SamplerOptions {
  /** The first rule that matches a path counts. */
  readonly rules: readonly FieldRule[];
  readonly tickNs: number;
}

/** What the sampler did, since its start. */
export interface SamplerStats {
  readonly fields: number;
  readonly ticks: number;
  /** Messages that could not be decoded; their fields had no value. */
  readonly undecoded: number;
  /** Fields beyond the largest number of one robot. */
  readonly refusedFields: number;
}

/** Larger messages are not decoded: one would take more than a turn. */
export const MESSAGE_MAX_BYTES = 1024 * 1024;
/** A field without a message for so long has no value. */
export const STALE_NS = 10_000_000_000n;
/** Messages of several sources come out of order by less than this. */
const LATE_NS = 1_000_000_000n;
/** Longer silence is no run of ticks: they would say nothing, and the clock may have jumped. */
const PAUSE_NS = 60_000_000_000n;

interface Sampled {
  readonly topic: TopicFields;
  /** Places of its fields in a sample. */
  readonly places: readonly number[];
  /** The latest message, copied: the original may lie in memory that the recorder uses again. */
  latest: Uint8Array;
  receivedAt: bigint;
  isFresh: boolean;
}

/**
 * Turns the messages of one robot into samples. A sample holds, for each field, the number in the last message
 * that was received at or before the time of its tick, so the recording gives the same samples.
 */
export class TelemetrySampler {
  readonly #options: SamplerOptions;
  readonly #taker: SampleTaker;
  readonly #logger: Logger;
  readonly #channels = new WeakMap<Channel, Sampled | 'none'>();
  #sampled: Sampled[] = [];
  readonly #places = new Map<string, number>();
  readonly #specs: FieldSpec[] = [];
  #values = new Float64Array(0);
  /** Time of the next tick; undefined before the first message. */
  #nextTimeNs: bigint | undefined;
  #tick = 0;
  #undecoded = 0;
  #refusedFields = 0;
  #areFieldsNew = false;

  constructor(options: SamplerOptions, taker: SampleTaker, logger: Logger) {
    this.#options = options;
    this.#taker = taker;
    this.#logger = logger;
  }

  stats(): SamplerStats {
    return {
      ...{ fields: this.#specs.length, ticks: this.#tick },
      ...{ undecoded: this.#undecoded, refusedFields: this.#refusedFields },
    };
  }

  /** Takes a message. Cheap: it is decoded at the next tick, if it is still the last one. */
  take({ channel, data, receivedAt }: Message): void {
    let sampled = this.#channels.get(channel);
    if (sampled === undefined) {
      // Its fields begin with the tick after it.
      this.advance(receivedAt - 1n);
      this.#channels.set(channel, (sampled = this.#open(channel)));
    }
    if (sampled === 'none' || data.byteLength > MESSAGE_MAX_BYTES) return;
    // A message at the time of a tick belongs to it.
    this.advance(receivedAt - 1n);
    if (sampled.latest.byteLength !== data.byteLength) sampled.latest = new Uint8Array(data.byteLength);
    sampled.latest.set(data);
    sampled.receivedAt = receivedAt;
    sampled.isFresh = true;
  }

  /** Takes the samples of every tick up to a time, on the clock of the messages. */
  advance(timeNs: bigint): void {
    const tickNs = BigInt(this.#options.tickNs);
    const next = this.#nextTimeNs;
    const isJump = next !== undefined && (timeNs < next - tickNs - LATE_NS || timeNs > next + PAUSE_NS);
    if (next === undefined || isJump) this.#beginAt((timeNs / tickNs + 1n) * tickNs);
    while (this.#specs.length > 0 && this.#nextTimeNs !== undefined && this.#nextTimeNs <= timeNs) {
      this.#sample(this.#nextTimeNs);
      this.#nextTimeNs += tickNs;
    }
  }

  /** Continues at another time. Messages from what is now the future age from here on. */
  #beginAt(timeNs: bigint): void {
    this.#nextTimeNs = timeNs;
    for (const one of this.#sampled) if (one.receivedAt > timeNs) one.receivedAt = timeNs;
  }

  #sample(timeNs: bigint): void {
    if (this.#areFieldsNew) {
      this.#areFieldsNew = false;
      this.#values = new Float64Array(this.#specs.length).fill(NaN);
      for (const one of this.#sampled) one.isFresh ||= one.latest.byteLength > 0;
      this.#taker.fields([...this.#specs]);
    }
    for (const one of this.#sampled) this.#read(one, timeNs);
    this.#taker.sample(this.#tick++, timeNs, this.#values);
  }

  #read(one: Sampled, timeNs: bigint): void {
    const isStale = timeNs - one.receivedAt > STALE_NS;
    if (!one.isFresh && !isStale) return;
    one.isFresh = false;
    const isReadable = !isStale && this.#decode(one);
    one.places.forEach((place, i) => {
      this.#values[place] = isReadable ? one.topic.fields[i]!.read() : NaN;
    });
  }

  #decode(one: Sampled): boolean {
    try {
      one.topic.decode(one.latest);
      return true;
    } catch (error) {
      const topic = one.topic.fields[0]!.spec.topic;
      if (this.#undecoded++ === 0)
        this.#logger.warn('a message cannot be decoded for the uplink; further ones are only counted', {
          ...{ topic, error: describeError(error) },
        });
      return false;
    }
  }

  #open(channel: Channel): Sampled | 'none' {
    let topic: TopicFields | undefined;
    try {
      topic = fieldsOf(channel, this.#options.rules, this.#options.tickNs);
    } catch (error) {
      const reason = describeError(error);
      this.#logger.warn('the uplink cannot send a topic', { topic: channel.topic, reason });
    }
    if (topic === undefined) return 'none';
    const fields = topic.fields.filter(({ spec }) => this.#isUsable(spec));
    if (fields.length === 0) return 'none';
    const added = fields.filter(({ spec }) => !this.#places.has(nameOf(spec)));
    if (this.#specs.length + added.length > MAX_FIELDS) {
      if (this.#refusedFields === 0)
        this.#logger.warn('too many fields for the uplink; further ones are not sent', { max: MAX_FIELDS });
      this.#refusedFields += added.length;
      return 'none';
    }
    const places = fields.map(({ spec }) => this.#placeOf(spec));
    // A channel that is announced again takes over from the earlier one.
    this.#sampled = this.#sampled.filter((one) => one.places.every((place) => !places.includes(place)));
    const latest = new Uint8Array(0);
    const sampled = { topic: { ...topic, fields }, places, latest, receivedAt: 0n, isFresh: false };
    this.#sampled.push(sampled);
    return sampled;
  }

  #isUsable(spec: FieldSpec): boolean {
    const reason = catalogueFault({ version: 1, tickNs: this.#options.tickNs, fields: [spec] });
    if (reason === undefined) return true;
    this.#logger.warn('the uplink cannot send a field', { topic: spec.topic, path: spec.path, reason });
    return false;
  }

  /** A field that is known keeps its place. */
  #placeOf(spec: FieldSpec): number {
    const known = this.#places.get(nameOf(spec));
    if (known !== undefined) return known;
    this.#areFieldsNew = true;
    const place = this.#specs.push(spec) - 1;
    this.#places.set(nameOf(spec), place);
    return place;
  }
}

function nameOf({ topic, path }: FieldSpec): string {
  return `${topic} ${path}`;
}
