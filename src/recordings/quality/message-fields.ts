import type { Schema } from '../../core/message.js';
import {
  BatchBuilder,
  isText,
  isWide,
  type NumberArray,
  type PlacedColumn,
} from '../../exporters/columns/batch.js';
import { wideAt } from '../../exporters/columns/batch-rows.js';
import { columnsOf, type LeafType } from '../../exporters/columns/column.js';
import { compileCdr, type CdrDecoder } from '../../exporters/columns/compile-cdr.js';
import { parseTypeTree } from '../../exporters/columns/type-tree.js';

/** A number of a message, with its dotted name; `listed`: there can be many in one message. */
export interface NumberField {
  readonly name: string;
  readonly listed: boolean;
  /** Can be NaN or infinite. */
  readonly floating: boolean;
}

interface Place {
  /** Where the builder keeps the values. */
  readonly values: string;
  readonly wide: boolean;
  /** The lists that contain it, from the outside. */
  readonly lists: readonly string[];
}

/** The time in a message's header. */
const STAMP = 'header.stamp';

/**
 * The numbers of one type of CDR message, read without making objects. One message at a time: every call is
 * about the last decoded one.
 */
export class MessageFields {
  readonly fields: readonly NumberField[];
  readonly #places: readonly Place[];
  readonly #builder: BatchBuilder;
  readonly #decode: CdrDecoder;
  readonly #stamp: string | undefined;

  /** Throws an Error that says why messages of this schema cannot be decoded. */
  constructor(schema: Schema) {
    const type = parseTypeTree(new TextDecoder().decode(schema.data), schema.name);
    const shape = { flatten: true };
    this.#builder = new BatchBuilder(columnsOf(type, shape));
    this.#decode = compileCdr(type, this.#builder, this.#builder.root, shape);
    const found: { field: NumberField; place: Place }[] = [];
    let stamp: string | undefined;
    const visit = (at: PlacedColumn, name: string, lists: readonly string[]): void => {
      const { column, id } = at;
      if (column.kind === 'struct') {
        for (const child of at.children)
          visit(child, name === '' ? child.name : `${name}.${child.name}`, lists);
      } else if (column.kind === 'list') {
        visit(at.children[0]!, name, [...lists, `o${id}`]);
      } else if (!isText(column.type)) {
        if (name === STAMP && column.type === 'time') stamp = `v${id}`;
        found.push({
          field: { name, listed: lists.length > 0, floating: isFloating(column.type) },
          place: { values: `v${id}`, wide: isWide(column.type), lists },
        });
      }
    };
    visit(this.#builder.root, '', []);
    this.fields = found.map(({ field }) => field);
    this.#places = found.map(({ place }) => place);
    this.#stamp = stamp;
  }

  /** Returns the number of bytes left over after the message. Throws an Error with what does not fit. */
  decode(payload: Uint8Array): number {
    const leftOver = this.#decode(payload);
    this.#builder.rows = 0;
    return leftOver;
  }

  /** How many values the field has: 1, or the length of its list. */
  count(field: number): number {
    let count = 1;
    for (const list of this.#places[field]!.lists) {
      count = (this.#builder.slots[list] as Uint32Array)[count]!;
    }
    return count;
  }

  /** A value; 0 or 1 for a bool, nanoseconds for a time, the nearest number for 64-bit integers. */
  value(field: number, index = 0): number {
    const { values, wide } = this.#places[field]!;
    const array = this.#builder.slots[values] as NumberArray;
    return wide ? Number(wideAt({ values: array }, index)) : array[index]!;
  }

  /** Of the header, nanoseconds since the Unix epoch; undefined if it has none or left it unset. */
  stampNs(): bigint | undefined {
    if (this.#stamp === undefined) return undefined;
    const stamp = wideAt({ values: this.#builder.slots[this.#stamp] as NumberArray }, 0);
    return stamp === 0n ? undefined : stamp;
  }
}

function isFloating(type: LeafType): boolean {
  return type === 'float32' || type === 'float64';
}
