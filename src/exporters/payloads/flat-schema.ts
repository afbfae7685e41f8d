import { FlatReader, type TableAt } from './flat-reader.js';

/** The content of a `.bfbs` file (reflection.fbs of FlatBuffers), as far as rows need it. */
export interface FlatSchema {
  readonly objects: readonly FlatObject[];
  readonly enums: readonly FlatEnum[];
  /** Index of the root table; undefined: the schema has none. */
  readonly root: number | undefined;
  /** Four letters in a message of the root type; empty: none. */
  readonly identifier: string;
}

export interface FlatObject {
  readonly name: string;
  readonly isStruct: boolean;
  readonly bytes: number;
  /** In the order of their ids. */
  readonly fields: readonly FlatField[];
}

export interface FlatField {
  readonly name: string;
  readonly type: FlatType;
  /** In a struct: the offset of the value. In a table: that of its entry in the list of fields. */
  readonly offset: number;
  readonly id: number;
  readonly defaultInteger: bigint;
  readonly defaultReal: number;
  readonly deprecated: boolean;
  readonly optional: boolean;
}

export interface FlatType {
  readonly base: number;
  readonly element: number;
  readonly index: number;
  readonly length: number;
  readonly elementBytes: number;
}

export interface FlatEnum {
  readonly name: string;
  readonly isUnion: boolean;
  readonly nameOf: ReadonlyMap<bigint, string>;
  /** For a union: the type of each value. */
  readonly typeOf: ReadonlyMap<bigint, FlatType>;
}

/** Base types of reflection.fbs. */
export const base = {
  ...{ unionType: 1, bool: 2, byte: 3, ubyte: 4, short: 5, ushort: 6, int: 7, uint: 8, long: 9, ulong: 10 },
  ...{ float: 11, double: 12, string: 13, vector: 14, object: 15, union: 16, array: 17 },
} as const;

const IDENTIFIER = 'BFBS';

/** Reads a binary schema. Throws an Error if the data is not one. */
export function parseFlatSchema(bytes: Uint8Array): FlatSchema {
  const reader = new FlatReader(bytes);
  if (reader.identifier() !== IDENTIFIER)
    throw new Error(`it does not begin as a binary schema (${IDENTIFIER})`);
  const tables = new Tables(reader);
  const root = reader.root();
  const objects = tables.list(root, 4);
  const rootTable = tables.optionalTable(root, 12);
  return {
    objects: objects.map((at) => tables.object(at)),
    enums: tables.list(root, 6).map((at) => tables.enumeration(at)),
    root: rootTable === undefined ? undefined : objects.indexOf(rootTable),
    identifier: tables.text(root, 8),
  };
}

class Tables {
  readonly #reader: FlatReader;
  #visited = 0;

  constructor(reader: FlatReader) {
    this.#reader = reader;
  }

  list(table: TableAt, entry: number): TableAt[] {
    const at = this.#reader.field(table, entry);
    if (at === undefined) return [];
    const { first, count } = this.#reader.vector(at, 4);
    if ((this.#visited += count) > MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} definitions`);
    return Array.from({ length: count }, (_, index) => this.#reader.tableAt(first + 4 * index));
  }

  optionalTable(table: TableAt, entry: number): TableAt | undefined {
    const at = this.#reader.field(table, entry);
    return at === undefined ? undefined : this.#reader.tableAt(at);
  }

  text(table: TableAt, entry: number): string {
    const at = this.#reader.field(table, entry);
    return at === undefined ? '' : this.#reader.text(at);
  }

  object(at: TableAt): FlatObject {
    const fields = this.list(at, 6).map((field) => this.#field(field));
    return {
      name: this.text(at, 4),
      isStruct: this.#flag(at, 8),
      bytes: this.#number(at, 12, 'getInt32', 4),
      fields: fields.sort((a, b) => a.id - b.id),
    };
  }

  enumeration(at: TableAt): FlatEnum {
    const nameOf = new Map<bigint, string>();
    const typeOf = new Map<bigint, FlatType>();
    for (const value of this.list(at, 6)) {
      const number = this.#long(value, 6);
      nameOf.set(number, this.text(value, 4));
      const type = this.optionalTable(value, 10);
      if (type !== undefined) typeOf.set(number, this.#type(type));
    }
    return { name: this.text(at, 4), isUnion: this.#flag(at, 8), nameOf, typeOf };
  }

  #field(at: TableAt): FlatField {
    const type = this.optionalTable(at, 6);
    const name = this.text(at, 4);
    if (type === undefined) throw new Error(`field ${name} has no type`);
    const real = this.#reader.field(at, 14);
    return {
      name,
      type: this.#type(type),
      id: this.#number(at, 8, 'getUint16', 2),
      offset: this.#number(at, 10, 'getUint16', 2),
      defaultInteger: this.#long(at, 12),
      defaultReal: real === undefined ? 0 : this.#reader.view.getFloat64(real, true),
      deprecated: this.#flag(at, 16),
      optional: this.#flag(at, 26),
    };
  }

  #type(at: TableAt): FlatType {
    const index = this.#reader.field(at, 8);
    return {
      base: this.#number(at, 4, 'getUint8', 1),
      element: this.#number(at, 6, 'getUint8', 1),
      index: index === undefined ? -1 : this.#reader.view.getInt32(index, true),
      length: this.#number(at, 10, 'getUint16', 2),
      elementBytes: this.#number(at, 14, 'getUint32', 4),
    };
  }

  #flag(table: TableAt, entry: number): boolean {
    return this.#number(table, entry, 'getUint8', 1) !== 0;
  }

  #long(table: TableAt, entry: number): bigint {
    const at = this.#reader.field(table, entry);
    return at === undefined ? 0n : this.#reader.view.getBigInt64(at, true);
  }

  #number(
    table: TableAt,
    entry: number,
    get: 'getUint8' | 'getUint16' | 'getInt32' | 'getUint32',
    bytes: number,
  ): number {
    const at = this.#reader.field(table, entry);
    if (at === undefined) return 0;
    return bytes === 1 ? this.#reader.view.getUint8(at) : this.#reader.view[get](at, true);
  }
}

/** Maximum number of objects, fields, enumerations and values together. */
const MAX_ENTRIES = 100_000;
