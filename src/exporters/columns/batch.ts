import { isUtf8 } from 'node:buffer';
import type { Column, LeafType, StructColumn } from './column.js';

/** A column with its number: `id` counts all nodes from the root (0) in depth-first order. */
export interface PlacedColumn {
  readonly id: number;
  readonly column: Column;
  /** The list for whose elements this column has values (an index into scopes); 0: the rows. */
  readonly scope: number;
  /** The fields of a struct, or the element of a list. */
  readonly children: readonly PlacedColumn[];
  readonly name: string;
}

/** Gives every column its id and scope. The same tree always gets the same ones. */
export function placeColumns(root: StructColumn): PlacedColumn {
  let ids = 0;
  let scopes = 0;
  const place = (column: Column, scope: number, name: string): PlacedColumn => {
    const id = ids++;
    if (column.kind === 'leaf') return { id, column, scope, name, children: [] };
    if (column.kind === 'list') {
      const inner = ++scopes;
      return { id, column, scope, name, children: [place(column.element, inner, 'element')] };
    }
    const children = column.fields.map((field) => place(field.column, scope, field.name));
    return { id, column, scope, name, children };
  };
  return place(root, 0, '');
}

export type NumberArray =
  Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** The values of one column node. Arrays may be longer than their used part. */
export interface NodeData {
  /** For a number leaf; 64-bit integers and times as pairs of 32-bit words, low word first. */
  readonly values?: NumberArray;
  /** For a list, string or bytes: where value `i` ends, at `i + 1`. */
  readonly offsets?: Uint32Array;
  /** For a string or bytes. */
  readonly data?: Uint8Array;
  /** For an optional node: 1 if there is a value. */
  readonly valid?: Uint8Array;
}

/** Rows as columns. Plain data that can be passed to another thread. */
export interface Batch {
  readonly rows: number;
  /** By the id of the column node. */
  readonly nodes: readonly NodeData[];
}

const wide: ReadonlySet<LeafType> = new Set(['int64', 'uint64', 'time', 'duration']);

/** Stored as two 32-bit words. */
export function isWide(type: LeafType): boolean {
  return wide.has(type);
}

export function isText(type: LeafType): boolean {
  return type === 'string' || type === 'bytes' || type === 'json';
}

function numbersOf(type: LeafType, length: number): NumberArray {
  switch (type) {
    case 'bool':
    case 'uint8':
      return new Uint8Array(length);
    case 'int8':
      return new Int8Array(length);
    case 'int16':
      return new Int16Array(length);
    case 'uint16':
      return new Uint16Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'uint32':
      return new Uint32Array(length);
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'int64':
    case 'uint64':
    case 'time':
    case 'duration':
      return new Int32Array(2 * length);
    case 'string':
    case 'bytes':
    case 'json':
      throw new Error(`${type} is no number`);
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The bytes of a string or bytes column while it grows. */
export class BytesLeaf {
  offsets: Uint32Array;
  data: Uint8Array;

  constructor(
    readonly isUtf8: boolean,
    rows: number,
    bytes: number,
  ) {
    this.offsets = new Uint32Array(rows + 1);
    this.data = new Uint8Array(bytes);
  }

  /** Value `index` becomes `length` bytes of `source`; invalid UTF-8 becomes replacement characters. */
  put(index: number, source: Uint8Array, start: number, length: number): void {
    const at = this.offsets[index]!;
    if (at + length > this.data.length) this.#grow(at + length);
    const { data } = this;
    if (length < 48) {
      let high = 0;
      for (let i = 0; i < length; i++) high |= data[at + i] = source[start + i]!;
      if (high > 127 && this.isUtf8) {
        this.#checked(index, source.subarray(start, start + length));
        return;
      }
    } else {
      const piece = source.subarray(start, start + length);
      if (this.isUtf8) {
        this.#checked(index, piece);
        return;
      }
      data.set(piece, at);
    }
    this.offsets[index + 1] = at + length;
  }

  putText(index: number, text: string): void {
    const bytes = encoder.encode(text);
    this.#copy(index, bytes);
  }

  /** Value `index` becomes empty. */
  empty(index: number): void {
    this.offsets[index + 1] = this.offsets[index]!;
  }

  reserve(rows: number): void {
    const offsets = new Uint32Array(rows + 1);
    offsets.set(this.offsets);
    this.offsets = offsets;
  }

  #checked(index: number, bytes: Uint8Array): void {
    if (isUtf8(bytes)) this.#copy(index, bytes);
    else this.putText(index, decoder.decode(bytes));
  }

  #copy(index: number, bytes: Uint8Array): void {
    const at = this.offsets[index]!;
    if (at + bytes.length > this.data.length) this.#grow(at + bytes.length);
    this.data.set(bytes, at);
    this.offsets[index + 1] = at + bytes.length;
  }

  #grow(bytes: number): void {
    const data = new Uint8Array(Math.max(bytes, 2 * this.data.length, 256));
    data.set(this.data);
    this.data = data;
  }
}

/**
 * The arrays that generated decoders write: `v<id>` numbers, `o<id>` list offsets, `y<id>` validity, `s<id>`
 * texts, `c<scope>` capacities.
 */
export type BuilderSlots = Record<string, unknown> & {
  grow: (scope: number, need: number) => void;
};

const FIRST_ROWS = 16;
const FIRST_ELEMENTS = 64;
const FIRST_BYTES = 256;
/**
 * A batch starts with the capacity of the previous one, up to this limit: of many tables, most may stay small
 * this time.
 */
const HINT_MAX = 4096;
const HINT_MAX_BYTES = 64 * 1024;
/** Memory for columns of a table without rows, all of them together. */
const NO_BYTES = new Uint8Array(0);
const NO_OFFSETS = new Uint32Array(0);

/** Collects rows. A decoder writes row `rows` and then counts it; a row that failed half-way is overwritten. */
export class BatchBuilder {
  readonly root: PlacedColumn;
  readonly slots: BuilderSlots;
  rows = 0;
  readonly #scopes: PlacedColumn[][] = [];
  /** Capacities of the previous batch: the next one will be about as large. */
  readonly #capacities: number[] = [];
  /** The same for texts, in bytes, by column id. */
  readonly #textBytes: number[] = [];

  constructor(readonly table: StructColumn) {
    this.root = placeColumns(table);
    const visit = (node: PlacedColumn): void => {
      (this.#scopes[node.scope] ??= []).push(node);
      node.children.forEach(visit);
    };
    visit(this.root);
    this.slots = { grow: (scope, need) => this.#grow(scope, need) };
    this.#reset();
  }

  /** Makes room for one more row. */
  reserveRow(): void {
    const need = this.rows + 1;
    if (need > (this.slots['c0'] as number)) this.#grow(0, need);
  }

  /** Everything collected; afterwards the builder is empty. */
  take(): Batch {
    const nodes: NodeData[] = [];
    // The result may go to another thread, so it has its own arrays, also if there is no value.
    this.#scopes.forEach((_, scope) => {
      if (this.slots[`c${scope}`] === 0) this.#grow(scope, 1);
    });
    const visit = (node: PlacedColumn): void => {
      nodes[node.id] = this.#dataOf(node);
      node.children.forEach(visit);
    };
    visit(this.root);
    const batch = { rows: this.rows, nodes };
    this.#reset();
    return batch;
  }

  #dataOf({ id, column }: PlacedColumn): NodeData {
    const { slots } = this;
    const valid = slots[`y${id}`] as Uint8Array | undefined;
    const text = slots[`s${id}`] as BytesLeaf | undefined;
    const validity = valid === undefined ? {} : { valid };
    if (text !== undefined) return { offsets: text.offsets, data: text.data, ...validity };
    if (column.kind === 'list') return { offsets: slots[`o${id}`] as Uint32Array, ...validity };
    const values = slots[`v${id}`] as NumberArray | undefined;
    return values === undefined ? validity : { values, ...validity };
  }

  /** Nothing is allocated before the first row: an export may have tens of thousands of tables. */
  #reset(): void {
    const { slots } = this;
    this.rows = 0;
    this.#scopes.forEach((nodes, scope) => {
      slots[`c${scope}`] = 0;
      for (const { id, column } of nodes) {
        if (column.optional) slots[`y${id}`] = NO_BYTES;
        if (column.kind === 'list') slots[`o${id}`] = NO_OFFSETS;
        if (column.kind !== 'leaf' || column.constant !== undefined) continue;
        if (!isText(column.type)) slots[`v${id}`] = NO_BYTES;
        else {
          const before = (slots[`s${id}`] as BytesLeaf | undefined)?.data.length;
          if (before !== undefined) this.#textBytes[id] = Math.min(before, HINT_MAX_BYTES);
          slots[`s${id}`] = undefined;
        }
      }
    });
  }

  #grow(scope: number, need: number): void {
    const { slots } = this;
    const before = slots[`c${scope}`] as number;
    const first = this.#capacities[scope] ?? (scope === 0 ? FIRST_ROWS : FIRST_ELEMENTS);
    const capacity = Math.max(need, before === 0 ? first : 2 * before);
    slots[`c${scope}`] = capacity;
    this.#capacities[scope] = Math.min(capacity, HINT_MAX);
    for (const { id, column } of this.#scopes[scope]!) {
      const valid = slots[`y${id}`] as Uint8Array | undefined;
      if (valid !== undefined) (slots[`y${id}`] = new Uint8Array(capacity)).set(valid);
      if (column.kind === 'list') {
        const offsets = slots[`o${id}`] as Uint32Array;
        (slots[`o${id}`] = new Uint32Array(capacity + 1)).set(offsets);
      }
      if (column.kind !== 'leaf' || column.constant !== undefined) continue;
      if (isText(column.type)) {
        const text = slots[`s${id}`] as BytesLeaf | undefined;
        if (text !== undefined) text.reserve(capacity);
        else {
          const bytes = this.#textBytes[id] ?? FIRST_BYTES;
          slots[`s${id}`] = new BytesLeaf(column.type !== 'bytes', capacity, bytes);
        }
      } else {
        const values = numbersOf(column.type, capacity);
        values.set(slots[`v${id}`] as NumberArray);
        slots[`v${id}`] = values;
      }
    }
  }
}
