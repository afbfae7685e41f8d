import { silentLogger } from '../../core/logger.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { Channel } from '../../core/message.js';
import type { FieldRule } from '../../settings/field-rule.js';
import { isDue, type FieldSpec } from '../../uplink/protocol/field-spec.js';
import { STALE_NS, TelemetrySampler, type SampleTaker } from '../../uplink/robot/telemetry-sampler.js';
import type { Hole, TickRange } from './hole-book.js';
import type { Covered } from './stored-segments.js';

/** One field at one tick. */
export interface FilledSample {
  /** Place of the field in the hole's fields. */
  readonly field: number;
  readonly tick: number;
  readonly timeNs: bigint;
  /** Null: the robot had no value. */
  readonly value: number | null;
}

/** What recordings say about some ticks of a hole. */
export interface SampledHole {
  readonly samples: readonly FilledSample[];
  /** Ticks of which every field is known. */
  readonly settled: readonly TickRange[];
}

/**
 * Samples recorded messages as the robot did, at ticks of a hole. Where segments are missing, it says nothing.
 *
 * @param covered - The times of which every message is there, by priority.
 * @param priorityOf - The priority of a topic; undefined: no segment has it.
 */
export class HoleSampler implements SampleTaker {
  readonly #hole: Hole;
  readonly #range: TickRange;
  readonly #covered: readonly Covered[];
  readonly #priorityOf: (topic: string) => string | undefined;
  readonly #sampler: TelemetrySampler;
  readonly #channels = new Map<string, Channel>();
  /** By topic, when its last message was received. */
  readonly #lastAt = new Map<string, bigint>();
  /** By topic and path. */
  #places = new Map<string, number>();
  readonly #samples: FilledSample[] = [];
  readonly #settled: { from: number; to: number }[] = [];

  constructor(
    hole: Hole,
    range: TickRange,
    covered: readonly Covered[],
    priorityOf: (topic: string) => string | undefined,
  ) {
    this.#hole = hole;
    this.#range = range;
    this.#covered = covered;
    this.#priorityOf = priorityOf;
    const rules = hole.fields.map((spec) => ruleOf(spec, hole.tickNs));
    this.#sampler = new TelemetrySampler({ rules, tickNs: hole.tickNs }, this, silentLogger);
  }

  /** Takes a message of the robot; messages come in the order of their log time. */
  take({ channel, logTime, publishTime, data }: McapMessage): void {
    const { topic, encoding, schema, metadata } = channel;
    let known = this.#channels.get(topic);
    if (known === undefined) {
      known = { robot: this.#hole.robot, topic, encoding, schema, metadata, latched: false };
      this.#channels.set(topic, known);
    }
    const times = { receivedAt: logTime, publishedAt: publishTime };
    this.#sampler.take({ kind: 'message', channel: known, data, ...times });
    this.#lastAt.set(topic, logTime);
  }

  /** Samples the ticks after the last message. */
  end(): SampledHole {
    this.#sampler.advance(this.#timeOf(this.#range.to - 1));
    return { samples: this.#samples, settled: this.#settled };
  }

  fields(specs: readonly FieldSpec[]): void {
    this.#places = new Map(specs.map((spec, place) => [nameOf(spec), place]));
  }

  sample(_tick: number, timeNs: bigint, values: Float64Array): void {
    const { firstTick, tickNs, fields } = this.#hole;
    const tick = firstTick + Number((timeNs - this.#timeOf(firstTick)) / BigInt(tickNs));
    if (tick < this.#range.from || tick >= this.#range.to || this.#timeOf(tick) !== timeNs) return;
    let unknown = 0;
    fields.forEach((spec, field) => {
      if (!isDue(spec, tick)) return;
      const value = values[this.#places.get(nameOf(spec)) ?? -1] ?? NaN;
      const isKnown = this.#isKnown(spec.topic, timeNs);
      if (!isKnown) unknown++;
      if (isKnown) this.#samples.push({ field, tick, timeNs, value: Number.isFinite(value) ? value : null });
    });
    if (unknown === 0) this.#settle(tick);
  }

  /** Whether no message of the topic is missing that could say something else at this time. */
  #isKnown(topic: string, timeNs: bigint): boolean {
    const priority = this.#priorityOf(topic);
    const staleNs = timeNs - STALE_NS;
    const lastNs = this.#lastAt.get(topic) ?? staleNs;
    const sinceNs = lastNs > staleNs ? lastNs : staleNs;
    return this.#covered.some(
      (one) =>
        (priority === undefined || one.priority === priority) && one.fromNs <= sinceNs && one.toNs >= timeNs,
    );
  }

  #settle(tick: number): void {
    const last = this.#settled.at(-1);
    if (last?.to === tick) last.to++;
    else this.#settled.push({ from: tick, to: tick + 1 });
  }

  #timeOf(tick: number): bigint {
    const { timeNs, firstTick, tickNs } = this.#hole;
    return timeNs + BigInt(tick - firstTick) * BigInt(tickNs);
  }
}

/** Only what a sample depends on. */
function ruleOf(spec: FieldSpec, tickNs: number): FieldRule {
  const { topic, path, unit, threshold, predictor, everyTicks, scale = 1, circle } = spec;
  const rule = { topic, path, unit, threshold, predictor, scale, rateHz: 1e9 / tickNs / everyTicks };
  return circle === undefined ? rule : { ...rule, period: circle.period };
}

function nameOf({ topic, path }: FieldSpec): string {
  return `${topic} ${path}`;
}
