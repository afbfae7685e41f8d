import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { Random } from '../../../src/core/random.js';
import { difference, normalise } from '../../../src/uplink/protocol/circle.js';
import { isDue, quantumOf, type Catalogue, type FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { TelemetryDecoder, type DecodedTicks } from '../../../src/uplink/protocol/telemetry-decoder.js';
import { TelemetryEncoder } from '../../../src/uplink/protocol/telemetry-encoder.js';
import {
  decodeGroundMessage,
  decodeRobotMessage,
  encodeGroundMessage,
  encodeRobotMessage,
} from '../../../src/uplink/protocol/uplink-messages.js';

export const field = (over: Partial<FieldSpec> = {}): FieldSpec => {
  const threshold = over.threshold ?? 1;
  const base = { topic: '/odom', path: 'twist.twist.linear.x', unit: 'm/s', everyTicks: 1 };
  return { ...base, predictor: 'hold', ...over, threshold, quantum: over.quantum ?? quantumOf(threshold) };
};

export const TICK_NS = 100_000_000;

export const pace = { flushTicks: 2, heartbeatTicks: 10, fullTicks: 60, requestTicks: 5 };

/** Fields of every predictor, plain and circular, with rare samples, wide ranges and no threshold. */
export const everyField: readonly FieldSpec[] = (['hold', 'smooth', 'linear'] as const).flatMap(
  (predictor) => [
    field({ path: `speed.${predictor}`, predictor, threshold: 0.9 }),
    field({ path: `heading.${predictor}`, predictor, threshold: 5, circle: { period: 360, lowest: 0 } }),
    field({
      path: `yaw.${predictor}`,
      predictor,
      threshold: 0.1,
      circle: { period: 2 * Math.PI, lowest: -Math.PI },
    }),
    field({ path: `battery.${predictor}`, predictor, threshold: 0.005, everyTicks: 7 }),
    field({ path: `exact.${predictor}`, predictor, threshold: 0 }),
    field({ path: `tiny.${predictor}`, predictor, threshold: 1e-12 }),
  ],
);

/** A value that moves as those of machines do: steadily, with noise, in jumps, at times not at all. */
class Signal {
  #value: number;
  #slope = 0;
  #absent = 0;

  constructor(
    readonly spec: FieldSpec,
    readonly random: Random,
  ) {
    this.#value = random.between(-50, 50);
  }

  next(): number {
    const { random, spec } = this;
    const scale = spec.circle?.period ?? 20;
    const chance = random.unit();
    if (chance < 0.01) this.#value += random.between(-scale, scale);
    else if (chance < 0.05) this.#slope = random.between(-scale, scale) / 40;
    else if (chance < 0.055) this.#absent = Math.floor(random.between(1, 15));
    else if (chance < 0.057) this.#value *= 1e12;
    else if (chance < 0.06) this.#value = random.between(-50, 50);
    this.#value += this.#slope + random.noise() * spec.threshold * 0.4;
    if (this.#absent-- > 0) return random.unit() < 0.5 ? NaN : Infinity;
    return this.#value;
  }
}

interface Packet {
  readonly bytes: Uint8Array;
  readonly dueAt: number;
}

/** How bad the link is: shares from 0 to 1. */
export interface Weather {
  readonly loss: number;
  readonly doubling: number;
  /** Delays of up to so many ticks, which reorder. */
  readonly delayTicks: number;
}

/** A robot, a ground and a link that loses, doubles and reorders; and what was really measured. */
export class UplinkWorld {
  readonly random: Random;
  readonly fields: readonly FieldSpec[];
  weather: Weather = { loss: 0, doubling: 0, delayTicks: 0 };
  /** By run and tick: the wall clock and the values. */
  readonly measured = new Map<string, { readonly timeNs: bigint; readonly values: readonly number[] }>();
  /** Names of the samples that the ground showed. */
  readonly shown = new Set<string>();
  /** Those since the ground forgot what it had shown. */
  #shownSince = new Set<string>();
  decoder = new TelemetryDecoder(1);
  #signals: readonly Signal[];
  #encoder!: TelemetryEncoder;
  #epoch = 0;
  #run = 0n;
  #tick = 0;
  #now = 0;
  /** The robot's clock may be hours off. */
  #robotTimeNs = 0n;
  #toGround: Packet[] = [];
  #toRobot: Packet[] = [];

  constructor(seed: number, fields = everyField) {
    this.random = new Random(seed);
    this.fields = fields;
    this.#signals = fields.map((spec) => new Signal(spec, this.random));
    this.restartRobot();
  }

  /** A new process: another run, ticks from 0, another clock, a new connection. Old packets are still under way. */
  restartRobot(): void {
    this.#run = (this.#run * 31n + 7n) % 2n ** 64n;
    this.#tick = 0;
    this.#robotTimeNs = BigInt(Math.round(this.random.between(0, 2e9))) * 1_000_000_000n;
    this.reconnect();
  }

  /** A new connection: the ground gives a new epoch. */
  reconnect(): void {
    const catalogue = { tickNs: TICK_NS, fields: this.fields };
    this.#encoder = new TelemetryEncoder({ run: this.#run, epoch: ++this.#epoch, catalogue, pace });
  }

  /** The ground forgets everything but the epoch it gave last. The robot does not notice. */
  restartGround(): void {
    this.decoder = new TelemetryDecoder(this.#epoch);
    this.#shownSince = new Set();
  }

  jumpClock(): void {
    this.#robotTimeNs += BigInt(Math.round(this.random.between(-4e12, 4e12)));
  }

  /** The robot's process stalls: ticks without a sample. */
  stall(): void {
    const ticks = Math.floor(this.random.between(1, 30));
    this.#tick += ticks;
    this.#robotTimeNs += BigInt(ticks * TICK_NS);
  }

  changeFields(catalogue: Omit<Catalogue, 'version'>): void {
    this.#send(this.#toGround, this.#encoder.changeFields(catalogue).map(telemetry));
  }

  /** One tick: a sample, and what arrives. */
  step(): void {
    this.#now++;
    const values = this.#signals.map((signal) => signal.next());
    const timeNs = this.#robotTimeNs;
    this.measured.set(`${this.#run}/${this.#tick}`, { timeNs, values });
    this.#send(this.#toGround, this.#encoder.sample(this.#tick, timeNs, values).map(telemetry));
    this.#tick++;
    this.#robotTimeNs += BigInt(TICK_NS);
    this.#toGround = this.#arrive(this.#toGround, (bytes) => this.#atGround(bytes));
    this.#toRobot = this.#arrive(this.#toRobot, (bytes) => this.#atRobot(bytes));
  }

  /** Whether the ground knows a sample of this run that is at most `ticks` old. */
  knowsRecent(ticks: number): boolean {
    for (let tick = this.#tick - 1; tick >= this.#tick - ticks; tick--) {
      if (this.shown.has(`${this.#run}/${tick}`)) return true;
    }
    return false;
  }

  #atGround(bytes: Uint8Array): void {
    const message = decodeRobotMessage(bytes);
    assert.ok(message.kind === 'telemetry', message.kind === 'unusable' ? message.reason : message.kind);
    const decoded = this.decoder.apply(message.frame);
    if (decoded.kind === 'ticks') this.#check(decoded.ticks, message.frame.full !== undefined);
    if (decoded.kind !== 'unknown') return;
    this.fields.forEach((_, i) => assert.equal(this.decoder.field(i).kind, 'unknown'));
    const { epoch } = message.frame;
    const request = { kind: 'full_request' as const, epoch, catalogue: decoded.needsCatalogue };
    this.#send(this.#toRobot, [encodeGroundMessage(request)]);
  }

  #atRobot(bytes: Uint8Array): void {
    const message = decodeGroundMessage(bytes);
    assert.ok(message.kind === 'full_request', message.kind);
    if (message.epoch === this.#epoch) this.#encoder.requestFull(message.catalogue);
  }

  /** The invariant: a shown value is within the threshold of what was measured at that tick. */
  #check({ run, catalogue, firstTick, ticks, timeNs, values }: DecodedTicks, isFull: boolean): void {
    const width = catalogue.fields.length;
    for (let row = 0; row < ticks; row++) {
      const name = `${run}/${firstTick + row}`;
      const real = this.measured.get(name);
      assert.ok(real !== undefined, `${name} was never measured`);
      assert.equal(timeNs + BigInt(row * TICK_NS), real.timeNs, name);
      for (const [i, spec] of catalogue.fields.entries()) {
        const shown = values[row * width + i]!;
        const isDueNow = isFull || isDue(spec, firstTick + row);
        assertWithin(spec, shown, real.values[i]!, isDueNow, `${name} ${spec.path}`);
      }
      assert.ok(!this.#shownSince.has(name), `${name} is shown twice`);
      this.#shownSince.add(name);
      this.shown.add(name);
    }
    const last = present(this.measured.get(`${run}/${firstTick + ticks - 1}`));
    for (const [i, spec] of catalogue.fields.entries()) {
      const state = this.decoder.field(i);
      assert.ok(state.kind !== 'unknown');
      if (state.tick !== firstTick + ticks - 1) continue;
      assertWithin(spec, state.kind === 'known' ? state.value : NaN, last.values[i]!, true, spec.path);
    }
  }

  #send(way: Packet[], packets: readonly Uint8Array[]): void {
    const { loss, doubling, delayTicks } = this.weather;
    for (const bytes of packets) {
      for (let copies = this.random.unit() < doubling ? 2 : 1; copies > 0; copies--) {
        if (this.random.unit() < loss) continue;
        way.push({ bytes, dueAt: this.#now + Math.floor(this.random.unit() * (delayTicks + 1)) });
      }
    }
  }

  #arrive(way: readonly Packet[], take: (bytes: Uint8Array) => void): Packet[] {
    for (const { bytes, dueAt } of way) if (dueAt <= this.#now) take(bytes);
    return way.filter(({ dueAt }) => dueAt > this.#now);
  }
}

function telemetry(frame: Parameters<TelemetryDecoder['apply']>[0]): Uint8Array {
  return encodeRobotMessage({ kind: 'telemetry', frame });
}

function assertWithin(spec: FieldSpec, shown: number, real: number, isDueNow: boolean, name: string): void {
  if (Number.isNaN(shown)) {
    assert.ok(!Number.isFinite(real) || !isDueNow, `${name}: nothing shown, measured ${real}`);
    return;
  }
  assert.ok(Number.isFinite(real), `${name}: shown ${shown}, measured ${real}`);
  // Bringing a large value into one turn loses digits.
  const rounding = spec.circle === undefined ? 0 : Math.abs(real) * 1e-15;
  const off = Math.abs(difference(normalise(real, spec.circle), shown, spec.circle));
  assert.ok(off <= spec.threshold + rounding, `${name}: shown ${shown}, measured ${real}, off ${off}`);
  if (spec.circle) {
    const { lowest, period } = spec.circle;
    assert.ok(shown >= lowest && shown < lowest + period, `${name}: ${shown} is outside the turn`);
  }
}
