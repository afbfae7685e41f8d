import { leafValue, textAt, wideAt } from '../columns/batch-rows.js';
import type { Batch, PlacedColumn } from '../columns/batch.js';
import { flatColumns, isNull, type FlatColumn } from '../columns/flat-columns.js';
import type { EncodeBatch, TableSpec } from '../format.js';
import { base64, jsonAt, numberText, timeText } from './text-value.js';
import { present } from '../../core/present.js';
import { plainText } from '../../core/plain-text.js';

/**
 * A column of the CSV, for the rows or for the elements of the exploded list. `text` returns the field of a
 * row, ready to write.
 */
interface CsvColumn {
  readonly name: string;
  readonly ofElement: boolean;
  readonly text: (batch: Batch, index: number) => string;
}

/** RFC 4180 with `\n`: a header row, quotes where needed, missing values empty, an empty text `""`. */
export function csvEncoder(table: TableSpec): EncodeBatch {
  const { columns, list } = csvColumns(table);
  return (batch) => {
    const lines: string[] = [];
    let written = 0;
    for (let row = 0; row < batch.rows; row++) {
      const [from, to] = elementsOf(batch, list, row);
      for (let element = from; element < to; element++) {
        let line = '';
        for (let i = 0; i < columns.length; i++) {
          const column = columns[i]!;
          if (i > 0) line += ',';
          line += column.text(batch, column.ofElement ? element : row);
        }
        lines.push(line);
        written++;
      }
    }
    const text = lines.length === 0 ? '' : `${lines.join('\n')}\n`;
    return { rows: batch.rows, pieces: [{ part: '', bytes: Buffer.from(text) }], meta: { written } };
  };
}

export function csvHeader(table: TableSpec): Uint8Array {
  const guard = guardOf(table);
  const names = csvColumns(table).columns.map(({ name }) => quoted(guard(name), false));
  return Buffer.from(`${names.join(',')}\n`);
}

/** The treatment of texts that come from messages. */
type Guard = (text: string) => string;

function guardOf({ guardFormulas }: TableSpec): Guard {
  return guardFormulas === true ? withoutFormula : (text) => text;
}

function csvColumns(table: TableSpec): {
  readonly columns: readonly CsvColumn[];
  readonly list: FlatColumn | undefined;
} {
  const { columns: root, explode } = table;
  const guard = guardOf(table);
  const flat = flatColumns(root);
  const list = flat.find(({ name, column }) => name === explode && column.kind === 'list');
  const columns = flat.flatMap((one): CsvColumn[] => {
    if (one !== list) return [{ name: one.name, ofElement: false, text: fieldOf(one, guard) }];
    return elementColumns(one.at.children[0]!, one.name, guard);
  });
  return { columns, list };
}

/** The columns of a list's elements: their fields after the name of the list, or the element itself. */
function elementColumns(element: PlacedColumn, name: string, guard: Guard): CsvColumn[] {
  const found: CsvColumn[] = [];
  const visit = (at: PlacedColumn, path: string, optional: readonly PlacedColumn[]): void => {
    const own = at.column.optional ? [...optional, at] : optional;
    if (at.column.kind !== 'struct') {
      const text = fieldOf({ name: path, at, column: at.column, optional: own }, guard);
      found.push({ name: path, ofElement: true, text });
      return;
    }
    for (const child of at.children) visit(child, `${path}.${child.name}`, own);
  };
  visit(element, name, []);
  return found;
}

function elementsOf(batch: Batch, list: FlatColumn | undefined, row: number): [from: number, to: number] {
  if (list === undefined) return [row, row + 1];
  if (isNull(batch, list, row)) return [0, 0];
  const { offsets } = batch.nodes[list.at.id]!;
  return [present(offsets)[row]!, present(offsets)[row + 1]!];
}

function fieldOf(flat: FlatColumn, guard: Guard): CsvColumn['text'] {
  const text = valueOf(flat.at, guard);
  if (flat.optional.length === 0) return text;
  return (batch, index) => (isNull(batch, flat, index) ? '' : text(batch, index));
}

function valueOf(at: PlacedColumn, guard: Guard): CsvColumn['text'] {
  const { column, id } = at;
  if (column.kind !== 'leaf') return (batch, index) => quoted(jsonAt(batch, at, index), false);
  if (column.constant !== undefined) {
    const field = quoted(guard(column.constant), true);
    return () => field;
  }
  const { type } = column;
  switch (type) {
    case 'time':
      return (batch, index) => timeText(wideAt(batch.nodes[id]!, index));
    case 'float32':
    case 'float64':
      return (batch, index) => numberText(present(batch.nodes[id]!.values)[index]!, type === 'float32');
    case 'string':
    case 'json':
      return (batch, index) => quoted(guard(textAt(batch.nodes[id]!, index)), true);
    case 'bytes':
      return (batch, index) => base64(leafValue(batch.nodes[id]!, 'bytes', index) as Uint8Array);
    case 'bool':
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'duration':
      return (batch, index) => plainText(leafValue(batch.nodes[id]!, type, index));
  }
}

/** A field of CSV. @param distinct an empty text is not a missing one */
export function quoted(text: string, distinct: boolean): string {
  if (text === '') return distinct ? '""' : '';
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Puts an apostrophe before a text that a spreadsheet would take for a formula. A text that begins with `=`,
 * `+`, `-`, `@`, a tab or a carriage return could run a command on the machine of a user who opens the file.
 */
export function withoutFormula(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}
