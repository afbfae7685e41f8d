import type { FieldSpec } from './field-spec.js';

/** Tag and time, tag and length of the values. */
const SAMPLE_HEAD_BYTES = 9 + 3;
const DOUBLE_BYTES = 8;
const NULL_BYTES = 4;

/** What samples would take that are sent in full, to compare with what is sent. */
export interface FullBytes {
  /** As Protocol Buffers messages of doubles, one for each sample. */
  readonly protobuf: number;
  /** As JSON objects, one for each sample, with the paths of the fields as names. */
  readonly json: number;
}

/** Computes {@link FullBytes} without making the messages. */
export class SampleSizes {
  readonly #protobuf: number;
  /** Braces, names and commas. */
  readonly #names: number;

  constructor(fields: readonly Pick<FieldSpec, 'path'>[]) {
    this.#protobuf = SAMPLE_HEAD_BYTES + DOUBLE_BYTES * fields.length;
    this.#names = fields.reduce(
      (sum, { path }) => sum + Buffer.byteLength(JSON.stringify(path)) + ':,'.length,
      '{"time_ns":""}'.length,
    );
  }

  /**
   * Of the sample of a tick.
   *
   * @param values - One for each field, from `from` on.
   */
  of(timeNs: bigint, values: Float64Array, from = 0, count = values.length): FullBytes {
    let json = this.#names + String(timeNs).length;
    for (let i = from; i < from + count; i++) json += digitsOf(values[i] ?? NaN);
    return { protobuf: this.#protobuf, json };
  }
}

/** JSON has `null` for what is no finite number, and 0 for -0. */
function digitsOf(value: number): number {
  return Number.isFinite(value) ? String(value).length : NULL_BYTES;
}
