import type { StructColumn } from '../columns/column.js';
import type { PlainValue } from '../columns/put-value.js';

/** Decodes payloads of one version of one type. */
export interface PayloadDecoder {
  /** One row of it. */
  readonly columns: StructColumn;
  /** Throws an Error with what does not fit: bytes that are not such a message have no value. */
  decode(payload: Uint8Array): DecodedPayload;
}

export interface DecodedPayload {
  readonly value: PlainValue;
  /** Number of fields of a later version, which the descriptor lacks; absent: none. */
  readonly unknown?: string;
}

/** Maximum nesting of types and messages; deeper ones are refused. */
export const MAX_DEPTH = 64;
/** Maximum number of columns of a type. */
export const MAX_LEAVES = 2_000;
/**
 * Maximum number of values of one message, including lists and parts: a few bytes of a FlatBuffer can refer
 * to the same part many times.
 */
export const MAX_VALUES = 1_000_000;

/** Counts the values of a message. */
export class ValueBudget {
  #left = MAX_VALUES;

  take(values: number): void {
    this.#left -= values;
    if (this.#left < 0) throw new Error(`more than ${MAX_VALUES} values`);
  }
}
