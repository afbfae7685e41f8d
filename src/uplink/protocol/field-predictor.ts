import { difference, normalise } from './circle.js';
import type { FieldSpec } from './field-spec.js';

/** Share of the sent value in the next prediction of `smooth`. */
const SMOOTHING = 0.3;

/**
 * What both ends believe about one field. Both make the same calls in the same order, so both hold the same
 * doubles: the arithmetic uses only operations that IEEE 754 rounds exactly (`+`, `-`, `*`, `/`, `floor`).
 */
export class FieldPredictor {
  readonly spec: FieldSpec;
  /** The value at the last step; NaN: the field has none. */
  value = NaN;
  #prediction = NaN;
  #sent = NaN;
  #slope = 0;
  #stepsSinceSent = 0;

  constructor(spec: FieldSpec) {
    this.spec = spec;
  }

  get isAbsent(): boolean {
    return Number.isNaN(this.#sent);
  }

  /** Restarts from a value, or from none (NaN). */
  reset(value: number): void {
    this.#prediction = value;
    this.#sent = value;
    this.value = value;
    this.#slope = 0;
    this.#stepsSinceSent = 0;
  }

  /** Moves to the next sample. `value` is its prediction, until `accept` replaces it. */
  step(): void {
    if (this.isAbsent) return;
    this.#stepsSinceSent++;
    const { predictor, circle } = this.spec;
    if (predictor === 'smooth') {
      const correction = SMOOTHING * difference(this.#sent, this.#prediction, circle);
      this.#prediction = normalise(this.#prediction + correction, circle);
    } else if (predictor === 'linear') {
      this.#prediction = normalise(this.#prediction + this.#slope, circle);
    }
    this.value = this.#prediction;
  }

  /** The value that a residual means at this sample. */
  valueOf(residual: number): number {
    return normalise(this.#prediction + residual * this.spec.quantum, this.spec.circle);
  }

  /** Takes the value that was sent for this sample. */
  accept(value: number): void {
    if (this.isAbsent) {
      this.reset(value);
      return;
    }
    const { predictor, circle } = this.spec;
    if (predictor === 'linear') {
      this.#slope = difference(value, this.#sent, circle) / Math.max(1, this.#stepsSinceSent);
    }
    // `smooth` keeps its prediction and approaches the value from the next sample on.
    if (predictor !== 'smooth') this.#prediction = value;
    this.#sent = value;
    this.#stepsSinceSent = 0;
    this.value = value;
  }
}
