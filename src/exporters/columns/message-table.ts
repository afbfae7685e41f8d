import { jsonText } from '../../core/json-message.js';
import type { Schema } from '../../core/message.js';
import { present } from '../../core/present.js';
import {
  BatchBuilder,
  isWide,
  type Batch,
  type BytesLeaf,
  type NumberArray,
  type PlacedColumn,
} from './batch.js';
import { wideAt } from './batch-rows.js';
import { columnsOf, leaf, type StructColumn } from './column.js';
import { compileCdr } from './compile-cdr.js';
import { eventDecoder, isEventKind, withPayloads, type Decode, type EventPayloads } from './event-columns.js';
import { compileFill, type FillAbsent } from './generate-cdr.js';
import {
  fieldColumn,
  HeadWriter,
  lateTime,
  withHead,
  type HeadOptions,
  type MessageHead,
} from './head-columns.js';
import { parseTypeTree, type StructNode } from './type-tree.js';

/*
 * Messages as columns. Every export format is made from the batches of this file.
 *
 * Layout: a table is a tree of columns (column.ts): leaves, lists and structs. placeColumns (batch.ts)
 * numbers its nodes depth first, and a Batch has one NodeData per number. A leaf has typed values, a list has
 * the offsets of its elements, and an optional node has one byte of validity per value. 64-bit integers and
 * times are two 32-bit words, low word first.
 *
 * Invariants
 * - The same set of types always gives the same tree, node ids and order of columns, so the files of one
 *   export match.
 * - Every node of a scope has the same number of values after each row. A column that a message lacks gets
 *   absent values. A row counts only when it is complete; the next row overwrites what a message that failed
 *   halfway left.
 * - Columns of several versions of a type are united. A field with another type gets a separate column.
 * - A payload is read only within its bounds. For any bytes, decoding ends with a row or with a reason.
 * - Times are signed 64-bit nanoseconds, so they end in the year 2262.
 *
 * This code does no I/O, so a crash leaves nothing: a batch is in memory until its encoder has written it.
 */

/** One kind of message of a table: a version of a type, or one of several types that share the table. */
export interface MessageKind {
  readonly encoding: string;
  readonly schema: Schema;
}

export interface MessageTableOptions extends HeadOptions {
  /** Columns for the payloads of events, in addition to their bytes. */
  readonly payloads?: EventPayloads;
}

/** Maximum size of a payload that is decoded. */
const DECODE_MAX_BYTES = 256 * 1024 * 1024;

/** A kind with a decoder, or the reason why it has no decoder. */
type Understood =
  | { readonly how: 'cdr'; readonly type: StructNode; readonly columns: StructColumn }
  | { readonly how: 'json' }
  | { readonly how: 'event' }
  | { readonly how: 'not'; readonly reason: string };

/**
 * Messages of one or more kinds as rows of one table, whose columns are the union of the columns of all
 * kinds. It does no I/O.
 */
export class MessageTable {
  readonly columns: StructColumn;
  /** Kinds with different columns. More than one means that a type changed, or that types share the table. */
  readonly versions: number;
  /**
   * Bytes after the last decoded message that are not padding, because the message was written with another
   * definition.
   */
  leftOver = 0;
  readonly #builder: BatchBuilder;
  readonly #decoders = new Map<string, Decode | string>();
  readonly #head: HeadWriter;
  readonly #fill: FillAbsent;

  constructor(
    kinds: readonly MessageKind[],
    readonly options: MessageTableOptions,
  ) {
    const understood = new Map(kinds.map((kind) => [kindKey(kind), understand(kind, options.flatten)]));
    const shapes = new Map<string, StructColumn>();
    for (const one of understood.values()) {
      if (one.how === 'cdr') shapes.set(JSON.stringify(one.columns), one.columns);
      if (one.how === 'json') shapes.set('json', jsonColumns);
      if (one.how === 'event') shapes.set('event', withPayloads(options.payloads));
    }
    this.versions = shapes.size;
    this.columns = withHead([...shapes.values()], options);
    this.#builder = new BatchBuilder(this.columns);
    this.#head = new HeadWriter(this.#builder);
    this.#fill = compileFill(this.#builder.root);
    for (const [key, one] of understood) this.#decoders.set(key, this.#decoderOf(one));
  }

  get rows(): number {
    return this.#builder.rows;
  }

  /** Whether messages of this kind can be rows: undefined, or the reason why not. */
  obstacle(kind: MessageKind): string | undefined {
    const decoder = this.#decoders.get(kindKey(kind));
    if (decoder === undefined) return 'its definition was not announced';
    return typeof decoder === 'string' ? decoder : undefined;
  }

  /**
   * Returns a function that adds messages of a kind. That function returns undefined, or the reason why it
   * did not decode a message.
   */
  adder(kind: MessageKind): (head: MessageHead, payload: Uint8Array) => string | undefined {
    const decoder = this.#decoders.get(kindKey(kind)) ?? 'its definition was not announced';
    if (typeof decoder === 'string') return (head, payload) => this.#addRaw(head, payload, decoder);
    const builder = this.#builder;
    const head = this.#head;
    return (facts, payload) => {
      const row = builder.rows;
      this.leftOver = 0;
      const late = lateTime(facts);
      if (late !== undefined) return late;
      if (payload.byteLength > DECODE_MAX_BYTES) {
        const reason = `${payload.byteLength} bytes, decoded are up to ${DECODE_MAX_BYTES}`;
        return this.#addRaw(facts, payload, reason);
      }
      let found: number | string | undefined;
      try {
        found = decoder(payload, facts);
      } catch (error) {
        builder.rows = row;
        return this.#addRaw(facts, payload, error instanceof Error ? error.message : String(error));
      }
      head.put(row, facts);
      if (typeof found !== 'string') {
        this.leftOver = found ?? 0;
        return undefined;
      }
      if (this.options.raw) head.putProblem(row, found);
      return found;
    };
  }

  /** The columns with their node ids, for {@link lastValues}. */
  get root(): PlacedColumn {
    return this.#builder.root;
  }

  /** Returns the numeric leaves of the last row, and removes the row. */
  lastValues(leaves: readonly PlacedColumn[]): (number | bigint | null)[] {
    const { slots } = this.#builder;
    const row = this.#builder.rows - 1;
    this.#builder.rows = 0;
    return leaves.map(({ id, column }) => {
      if (column.optional && (slots[`y${id}`] as Uint8Array)[row] === 0) return null;
      const values = slots[`v${id}`] as NumberArray;
      if (column.kind === 'leaf' && isWide(column.type)) return wideAt({ values }, row);
      return values[row]!;
    });
  }

  /** Returns the rows so far. The table is empty afterwards. */
  take(): Batch {
    this.#head.forget();
    return this.#builder.take();
  }

  /** Returns the reason. The message becomes a row only if raw rows are kept and its times fit. */
  #addRaw(facts: MessageHead, payload: Uint8Array, reason: string): string {
    this.leftOver = 0;
    const late = lateTime(facts);
    if (late !== undefined) return late;
    if (this.options.raw) {
      const builder = this.#builder;
      builder.reserveRow();
      const row = builder.rows;
      this.#fill(builder.slots, row);
      this.#head.put(row, facts);
      this.#head.putRaw(row, payload, reason);
      builder.rows = row + 1;
    }
    return reason;
  }

  #decoderOf(one: Understood): Decode | string {
    if (one.how === 'not') return one.reason;
    const { flatten } = this.options;
    const builder = this.#builder;
    if (one.how === 'cdr') {
      try {
        const renamed = new Map(one.type.fields.map(({ name }) => [name, fieldColumn(name)]));
        return compileCdr(one.type, builder, builder.root, { flatten }, renamed);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }
    if (one.how === 'event') return eventDecoder(builder, this.#fill, this.options.payloads);
    const column = present(builder.root.children.find(({ name }) => name === 'json'));
    return (payload) => {
      const text = jsonText(payload);
      builder.reserveRow();
      const row = builder.rows;
      this.#fill(builder.slots, row);
      if (column.column.optional) (builder.slots[`y${column.id}`] as Uint8Array)[row] = 1;
      (builder.slots[`s${column.id}`] as BytesLeaf).putText(row, text);
      builder.rows = row + 1;
      return undefined;
    };
  }
}

const jsonColumns: StructColumn = {
  kind: 'struct',
  optional: false,
  fields: [{ name: 'json', column: leaf('json') }],
};

function kindKey({ encoding, schema }: MessageKind): string {
  return JSON.stringify([
    encoding,
    schema.name,
    schema.encoding,
    Buffer.from(schema.data).toString('latin1'),
  ]);
}

function understand(kind: MessageKind, flatten: boolean): Understood {
  const { encoding, schema } = kind;
  if (isEventKind(kind)) return { how: 'event' };
  if (encoding === 'json') return { how: 'json' };
  const not = (reason: string): Understood => ({ how: 'not', reason });
  if (encoding !== 'cdr') return not(`encoding "${encoding}" is not decoded`);
  if (schema.data.byteLength === 0 && schema.encoding === '') return not('the channel has no schema');
  if (schema.encoding !== 'ros2msg') return not(`schema encoding "${schema.encoding}" is not decoded`);
  try {
    const type = parseTypeTree(new TextDecoder().decode(schema.data), schema.name);
    const { fields, ...struct } = columnsOf(type, { flatten });
    const renamed = fields.map((field) => ({ ...field, name: fieldColumn(field.name) }));
    return { how: 'cdr', type, columns: { ...struct, fields: renamed } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return not(`the definition of ${schema.name} cannot be used: ${reason}`);
  }
}
