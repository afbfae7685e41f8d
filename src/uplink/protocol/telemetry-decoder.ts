import { isDue, type Catalogue } from './field-spec.js';
import { FieldPredictor } from './field-predictor.js';
import type { Change, FullState, TelemetryFrame } from './telemetry-frame.js';

/** The samples of a frame. */
export interface DecodedTicks {
  /** Run of the robot's process. Run and tick name a sample. */
  readonly run: bigint;
  readonly catalogue: Catalogue;
  readonly firstTick: number;
  readonly ticks: number;
  /** Wall clock of the robot at the first tick; one tick later, `catalogue.tickNs` more. */
  readonly timeNs: bigint;
  /** `ticks` rows of a value for each field; NaN: no value, or no sample at that tick. */
  readonly values: Float64Array;
  /** From a full frame: every field has a sample, also one that is not due. */
  readonly full: boolean;
}

export type Decoded =
  | { readonly kind: 'ticks'; readonly ticks: DecodedTicks }
  /** The frame changes nothing: its content is older than what is known. */
  | { readonly kind: 'ignored'; readonly reason: 'old_epoch' | 'duplicate' }
  /** All fields are unknown until a full frame arrives, which the ground should request. */
  | {
      readonly kind: 'unknown';
      readonly reason: 'gap' | 'catalogue_missing' | 'inconsistent';
      /** The full frame must contain the catalogue. */
      readonly needsCatalogue: boolean;
    };

/** What is known about a field. */
export type FieldState =
  /** Frames are missing: nothing can be said. */
  | { readonly kind: 'unknown' }
  /** The robot has no value, at `tick`. */
  | { readonly kind: 'absent'; readonly tick: number }
  /** Within the threshold of what was measured at `tick`. */
  | { readonly kind: 'known'; readonly tick: number; readonly value: number };

interface Known {
  readonly run: bigint;
  readonly predictors: readonly FieldPredictor[];
  nextTick: number;
  nextTimeNs: bigint;
}

const UNKNOWN: FieldState = Object.freeze({ kind: 'unknown' });

/**
 * The ground's end of the epochs of one robot: applies frames strictly in their order, and knows nothing after a
 * lost one until a full frame. Frames may be lost, doubled and reordered in any way.
 */
export class TelemetryDecoder {
  #epoch: number;
  /** Number of the next frame that can be applied; smaller ones are old. */
  #nextSequence = 1;
  #catalogue: Catalogue | undefined;
  /** Undefined: unknown. */
  #known: Known | undefined;
  /** By field: the tick of its last sample. */
  #sampledAt: number[] = [];

  /** @param epoch - The lowest epoch whose frames count: the newest one that the ground has given. */
  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  get catalogue(): Catalogue | undefined {
    return this.#catalogue;
  }

  /** What is known about a field of the catalogue. */
  field(index: number): FieldState {
    const predictor = this.#known?.predictors[index];
    if (predictor === undefined) return UNKNOWN;
    const tick = this.#sampledAt[index]!;
    return predictor.isAbsent ? { kind: 'absent', tick } : { kind: 'known', tick, value: predictor.value };
  }

  /** A message of the robot was unusable: it may have been a frame. */
  lose(): void {
    this.#known = undefined;
  }

  apply(frame: TelemetryFrame): Decoded {
    if (frame.epoch < this.#epoch) return { kind: 'ignored', reason: 'old_epoch' };
    if (frame.epoch > this.#epoch) this.#beginEpoch(frame.epoch);
    if (frame.sequence < this.#nextSequence) return { kind: 'ignored', reason: 'duplicate' };
    if (frame.full !== undefined) return this.#applyFull(frame, frame.full);
    const known = this.#known;
    // A frame after a gap is not counted: a full frame between may still arrive late, and is of use.
    if (known === undefined || frame.sequence > this.#nextSequence) return this.#unknown('gap');
    this.#nextSequence = frame.sequence + 1;
    const catalogue = this.#catalogue;
    if (catalogue === undefined || frame.firstTick !== known.nextTick) return this.#unknown('inconsistent');
    const timeNs = frame.timeNs ?? known.nextTimeNs;
    const values = this.#step(known, frame);
    if (values === undefined) return this.#unknown('inconsistent');
    const { firstTick, ticks } = frame;
    known.nextTick = firstTick + ticks;
    known.nextTimeNs = timeNs + BigInt(ticks) * BigInt(catalogue.tickNs);
    return {
      kind: 'ticks',
      ticks: { run: known.run, catalogue, firstTick, ticks, timeNs, values, full: false },
    };
  }

  #beginEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#nextSequence = 1;
    this.#catalogue = undefined;
    this.#known = undefined;
  }

  #applyFull(frame: TelemetryFrame, { run, catalogueVersion, values, ...full }: FullState): Decoded {
    this.#nextSequence = frame.sequence + 1;
    const catalogue = full.catalogue ?? this.#catalogue;
    if (catalogue?.version !== catalogueVersion) return this.#unknown('catalogue_missing');
    if (catalogue.fields.length !== values.length) return this.#unknown('inconsistent');
    this.#catalogue = catalogue;
    const predictors = catalogue.fields.map((field) => new FieldPredictor(field));
    predictors.forEach((predictor, i) => predictor.reset(values[i]!));
    const { firstTick, timeNs = 0n } = frame;
    const nextTimeNs = timeNs + BigInt(catalogue.tickNs);
    this.#known = { run, predictors, nextTick: firstTick + 1, nextTimeNs };
    this.#sampledAt = values.map(() => firstTick);
    const row = Float64Array.from(values);
    return { kind: 'ticks', ticks: { run, catalogue, firstTick, ticks: 1, timeNs, values: row, full: true } };
  }

  /** The samples of a frame; undefined: it does not fit the fields. */
  #step({ predictors }: Known, { firstTick, ticks, changes }: TelemetryFrame): Float64Array | undefined {
    const width = predictors.length;
    const values = new Float64Array(ticks * width).fill(NaN);
    let next = 0;
    for (let tick = firstTick, row = 0; row < ticks; tick++, row++) {
      for (let i = 0; i < width; i++) {
        const predictor = predictors[i]!;
        if (!isDue(predictor.spec, tick)) continue;
        predictor.step();
        const position = row * width + i;
        if (changes[next]?.position === position && !change(predictor, changes[next++]!)) return undefined;
        // No robot sends this: a number that is not finite is within no threshold.
        if (!predictor.isAbsent && !Number.isFinite(predictor.value)) return undefined;
        values[position] = predictor.value;
        this.#sampledAt[i] = tick;
      }
    }
    return next === changes.length ? values : undefined;
  }

  #unknown(reason: 'gap' | 'catalogue_missing' | 'inconsistent'): Decoded {
    this.#known = undefined;
    return { kind: 'unknown', reason, needsCatalogue: this.#catalogue === undefined || reason !== 'gap' };
  }
}

/** False: the change does not fit the field. */
function change(predictor: FieldPredictor, one: Change): boolean {
  if (one.kind === 'absent') predictor.reset(NaN);
  else if (one.kind === 'exact') predictor.accept(one.value);
  else if (predictor.isAbsent) return false;
  else predictor.accept(predictor.valueOf(one.residual));
  return true;
}
