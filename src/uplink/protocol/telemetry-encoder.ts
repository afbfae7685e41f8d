import { difference, normalise } from './circle.js';
import { isDue, type Catalogue } from './field-spec.js';
import { FieldPredictor } from './field-predictor.js';
import { MAX_TICKS, type Change, type TelemetryFrame } from './telemetry-frame.js';

/** When frames are sent, in ticks. */
export interface EncoderPace {
  /** A value that is out of its threshold waits at most so long for others. At least 1. */
  readonly flushTicks: number;
  /** Without such a value a frame is sent so often: it says that the predictions hold. */
  readonly heartbeatTicks: number;
  /** A full frame is sent so often. */
  readonly fullTicks: number;
  /** Two requested full frames are at least so far apart. */
  readonly requestTicks: number;
}

export interface EncoderOptions {
  /** Random number of the run of this process. */
  readonly run: bigint;
  /** From the Welcome of the ground. */
  readonly epoch: number;
  readonly catalogue: Omit<Catalogue, 'version'>;
  readonly pace: EncoderPace;
}

/** Every so many periodic full frames one contains the catalogue, for a ground whose requests are lost. */
const CATALOGUE_EVERY_FULL = 10;
/** A frame with so many changes is sent at once: it bounds the size of frames. */
const MAX_CHANGES = 4_096;
/** Residuals are sint32. */
const MAX_RESIDUAL = 2 ** 31 - 1;

/** The robot's end of one epoch: turns samples into frames. */
export class TelemetryEncoder {
  readonly #options: EncoderOptions;
  #catalogue: Catalogue;
  #predictors: readonly FieldPredictor[];
  #sequence = 0;
  /** Ticks that wait for their frame: [first, next). */
  #firstTick = 0;
  #nextTick = 0;
  #changes: Change[] = [];
  /** Time of the first waiting tick, if it differs from what the receiver expects. */
  #timeNs: bigint | undefined;
  #expectedTimeNs = 0n;
  #lastFullTick = -Infinity;
  #fulls = 0;
  #isFullDue = true;
  #isRequested = false;
  #withCatalogue = true;

  constructor(options: EncoderOptions) {
    this.#options = options;
    this.#catalogue = { ...options.catalogue, version: 1 };
    this.#predictors = predictorsOf(this.#catalogue);
  }

  /** Asks for a full frame, at the latest `requestTicks` after the last one. */
  requestFull(withCatalogue: boolean): void {
    this.#isRequested = true;
    this.#withCatalogue ||= withCatalogue;
  }

  /** Uses other fields from the next sample on, which becomes a full frame. */
  changeFields(catalogue: Omit<Catalogue, 'version'>): TelemetryFrame[] {
    const frames = [...this.flush()];
    this.#catalogue = { ...catalogue, version: this.#catalogue.version + 1 };
    this.#predictors = predictorsOf(this.#catalogue);
    this.#isFullDue = true;
    this.#withCatalogue = true;
    return frames;
  }

  /**
   * Takes the sample of a tick: a value for each field of the catalogue; one that is not finite is no value.
   * Ticks ascend; after one that was left out, the sample becomes a full frame.
   *
   * @param timeNs - Wall clock at the tick, nanoseconds since the Unix epoch. A time that does not follow the
   *   last one by one tick costs 9 bytes.
   * @returns the frames to send now, in order.
   */
  sample(tick: number, timeNs: bigint, values: ArrayLike<number>): TelemetryFrame[] {
    const { flushTicks, heartbeatTicks } = this.#options.pace;
    const frames: TelemetryFrame[] = [];
    if (this.#needsFull(tick)) {
      frames.push(...this.flush(), this.#full(tick, timeNs, values));
      return frames;
    }
    if (timeNs !== this.#expectedTimeNs) {
      frames.push(...this.flush());
      this.#timeNs = timeNs;
      this.#expectedTimeNs = timeNs;
    }
    this.#take(tick, values);
    const waiting = this.#nextTick - this.#firstTick;
    const firstChange = this.#changes[0];
    const oldest =
      firstChange === undefined ? 0 : waiting - Math.floor(firstChange.position / this.#predictors.length);
    const isLarge = this.#changes.length >= MAX_CHANGES || waiting >= MAX_TICKS;
    if (isLarge || oldest >= flushTicks || waiting >= heartbeatTicks) frames.push(...this.flush());
    return frames;
  }

  /** The frame of the ticks that wait, if there are any. */
  flush(): TelemetryFrame[] {
    const ticks = this.#nextTick - this.#firstTick;
    if (ticks === 0) return [];
    const frame = {
      ...{ epoch: this.#options.epoch, sequence: ++this.#sequence, firstTick: this.#firstTick, ticks },
      ...(this.#timeNs === undefined ? {} : { timeNs: this.#timeNs }),
      changes: this.#changes,
    };
    this.#firstTick = this.#nextTick;
    this.#changes = [];
    this.#timeNs = undefined;
    return [frame];
  }

  #needsFull(tick: number): boolean {
    const { fullTicks, requestTicks } = this.#options.pace;
    const since = tick - this.#lastFullTick;
    return (
      this.#isFullDue ||
      tick !== this.#nextTick ||
      since >= fullTicks ||
      (this.#isRequested && since >= requestTicks)
    );
  }

  #full(tick: number, timeNs: bigint, values: ArrayLike<number>): TelemetryFrame {
    const withCatalogue = this.#withCatalogue || this.#fulls % CATALOGUE_EVERY_FULL === 0;
    this.#predictors.forEach((predictor, i) => {
      const value = values[i]!;
      predictor.reset(Number.isFinite(value) ? normalise(value, predictor.spec.circle) : NaN);
    });
    this.#fulls++;
    this.#isFullDue = false;
    this.#isRequested = false;
    this.#withCatalogue = false;
    this.#lastFullTick = tick;
    this.#firstTick = this.#nextTick = tick + 1;
    this.#timeNs = undefined;
    this.#expectedTimeNs = timeNs + BigInt(this.#catalogue.tickNs);
    const { epoch, run } = this.#options;
    const full = {
      ...{ run, catalogueVersion: this.#catalogue.version },
      ...(withCatalogue ? { catalogue: this.#catalogue } : {}),
      values: this.#predictors.map(({ value }) => value),
    };
    return { epoch, sequence: ++this.#sequence, firstTick: tick, ticks: 1, timeNs, full, changes: [] };
  }

  #take(tick: number, values: ArrayLike<number>): void {
    const base = (tick - this.#firstTick) * this.#predictors.length;
    this.#predictors.forEach((predictor, i) => {
      if (!isDue(predictor.spec, tick)) return;
      predictor.step();
      const change = changeOf(predictor, values[i]!, base + i);
      if (change !== undefined) this.#changes.push(change);
    });
    this.#nextTick = tick + 1;
    this.#expectedTimeNs += BigInt(this.#catalogue.tickNs);
  }
}

function predictorsOf({ fields }: Catalogue): readonly FieldPredictor[] {
  return fields.map((field) => new FieldPredictor(field));
}

/** What must be sent for a sample, if anything; the predictor then holds what the receiver will hold. */
function changeOf(predictor: FieldPredictor, measured: number, position: number): Change | undefined {
  if (!Number.isFinite(measured)) {
    if (predictor.isAbsent) return undefined;
    predictor.reset(NaN);
    return { position, kind: 'absent' };
  }
  const { threshold, quantum, circle } = predictor.spec;
  const isWithin = (value: number): boolean => Math.abs(difference(measured, value, circle)) <= threshold;
  if (!predictor.isAbsent) {
    if (isWithin(predictor.value)) return undefined;
    const residual = Math.round(difference(measured, predictor.value, circle) / quantum);
    const value = predictor.valueOf(residual);
    // Large values with small thresholds lose their last digits: those are sent as they are.
    if (Math.abs(residual) <= MAX_RESIDUAL && isWithin(value)) {
      predictor.accept(value);
      return { position, kind: 'residual', residual };
    }
  }
  const value = normalise(measured, circle);
  predictor.accept(value);
  return { position, kind: 'exact', value };
}
