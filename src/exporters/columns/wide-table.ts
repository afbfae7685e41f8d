import { BatchBuilder, isWide, type Batch, type NumberArray } from './batch.js';
import { leaf, MAX_COLUMNS, type LeafType, type NamedColumn, type StructColumn } from './column.js';
import { present } from '../../core/present.js';

/** A column of a wide table: numbers of one field. */
export interface WideColumn {
  readonly name: string;
  readonly type: LeafType;
}

/** Rows of optional numbers under a clock: the result of aligning topics. Pure. */
export class WideTable {
  readonly columns: StructColumn;
  readonly #builder: BatchBuilder;
  readonly #leaves: readonly { readonly values: string; readonly valid: string; readonly isWide: boolean }[];
  readonly #time: string;

  /** Throws an Error if there are too many columns. */
  constructor(columns: readonly WideColumn[], robot: string) {
    if (columns.length + 2 > MAX_COLUMNS)
      throw new Error(`${columns.length} columns, allowed: ${MAX_COLUMNS - 2}`);
    const fields: NamedColumn[] = [
      { name: 'time', column: leaf('time') },
      { name: 'robot', column: { ...leaf('string'), constant: robot } },
      ...columns.map(({ name, type }) => ({ name, column: leaf(type, true) })),
    ];
    this.columns = { kind: 'struct', optional: false, fields };
    this.#builder = new BatchBuilder(this.columns);
    const [time, , ...leaves] = this.#builder.root.children;
    this.#time = `v${present(time).id}`;
    this.#leaves = leaves.map(({ id }, i) => ({
      values: `v${id}`,
      valid: `y${id}`,
      isWide: isWide(columns[i]!.type),
    }));
  }

  get rows(): number {
    return this.#builder.rows;
  }

  /** @param values in the order of the columns; null: missing */
  add(time: bigint, values: readonly (number | bigint | null)[]): void {
    const builder = this.#builder;
    builder.reserveRow();
    const { slots, rows: row } = builder;
    putWide(slots[this.#time] as Int32Array, row, time);
    this.#leaves.forEach((one, i) => {
      const value = values[i] ?? null;
      (slots[one.valid] as Uint8Array)[row] = value === null ? 0 : 1;
      if (one.isWide) putWide(slots[one.values] as Int32Array, row, BigInt(value ?? 0));
      else (slots[one.values] as NumberArray)[row] = Number(value ?? 0);
    });
    builder.rows = row + 1;
  }

  take(): Batch {
    return this.#builder.take();
  }
}

function putWide(words: Int32Array, row: number, value: bigint): void {
  words[2 * row] = Number(BigInt.asIntN(32, value));
  words[2 * row + 1] = Number(BigInt.asIntN(32, value >> 32n));
}
