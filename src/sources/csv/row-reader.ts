import { parse } from 'csv-parse/sync';
import { describeError } from '../../core/errors.js';
import { useByName, targetOf, type ColumnMap, type ColumnUse } from './column-map.js';
import { definitionOf, type Field } from './fields.js';
import type { LogLine } from './log-lines.js';
import { readNumber, readTime } from './units.js';

/** One row of a log, converted to the first unit of each quantity. */
export interface Row {
  readonly line: number;
  /** Nanoseconds as in the log; undefined: the log has no times. */
  readonly timeNs: bigint | undefined;
  /** NaN if the row has no value. */
  readonly values: Readonly<Partial<Record<Field, number>>>;
  readonly signals: Readonly<Record<string, number>>;
  readonly state: string;
}

export interface BadRow {
  readonly line: number;
  readonly bytes: number;
  /** What is wrong with it. */
  readonly fault: string;
}

/** The meaning of each column, for one header. */
export interface Layout {
  readonly delimiter: string;
  readonly decimal: '.' | ',';
  readonly columnCount: number;
  readonly uses: readonly { readonly index: number; readonly column: string; readonly use: ColumnUse }[];
}

const MAX_STATE_CHARS = 64;
const MAX_SHOWN_CHARS = 40;

/** The cells of one line; throws if its quotes are wrong. */
export function cellsOf(text: string, delimiter: string): string[] {
  if (!text.includes('"')) return text.split(delimiter);
  const [cells = []] = parse(text, { delimiter, relax_column_count: true });
  return cells;
}

/** Finds the columns of a header by the map, or by their names if there is no map. */
export function layOut(
  header: string,
  map: ColumnMap | undefined,
): { readonly layout: Layout; readonly ignored: readonly string[]; readonly faults: readonly string[] } {
  const delimiter = map?.delimiter ?? ',';
  const columns = cellsOf(header, delimiter).map((cell) => cell.trim());
  const faults: string[] = [];
  const uses: { index: number; column: string; use: ColumnUse }[] = [];
  const ignored: string[] = [];
  const taken = new Map<string, string>();
  columns.forEach((column, index) => {
    const use = map === undefined ? useByName(column) : map.columns.get(column);
    if (use === undefined) {
      ignored.push(column);
      return;
    }
    const target = targetOf(use);
    const before = taken.get(target);
    if (before !== undefined) faults.push(`column ${column}: ${target} is column ${before} already`);
    else {
      taken.set(target, column);
      uses.push({ index, column, use });
    }
  });
  for (const column of map?.columns.keys() ?? []) {
    if (!columns.includes(column)) {
      faults.push(`columns.${column}: the log has no such column; it has ${shown(columns.join(', '), 200)}`);
    }
  }
  if (map === undefined && uses.length === 0) {
    faults.push(`no column of the log is known by its name (${shown(header, 200)}): give map=FILE`);
  }
  const layout = { delimiter, decimal: map?.decimal ?? '.', columnCount: columns.length, uses } as const;
  return { layout, ignored, faults };
}

/** Reads one line; undefined for an empty one. */
export function readRow(line: LogLine, layout: Layout): Row | BadRow | undefined {
  const { text, bytes } = line;
  const bad = (fault: string): BadRow => ({ line: line.number, bytes, fault });
  if (text === undefined) return bad(`${bytes} bytes in one line`);
  if (text.trim() === '') return undefined;
  let cells: string[];
  try {
    cells = cellsOf(text, layout.delimiter);
  } catch (error) {
    return bad(`its quotes are wrong: ${describeError(error)}`);
  }
  if (cells.length !== layout.columnCount) {
    return bad(`${cells.length} columns instead of ${layout.columnCount}`);
  }
  let timeNs: bigint | undefined;
  let state = '';
  const values: Partial<Record<Field, number>> = {};
  const signals: Record<string, number> = {};
  for (const { index, column, use } of layout.uses) {
    const cell = cells[index]!;
    if (use.kind === 'state') {
      state = cell.trim().slice(0, MAX_STATE_CHARS);
      continue;
    }
    if (use.kind === 'time') {
      timeNs = readTime(cell, use.unit, layout.decimal);
      if (timeNs === undefined) return bad(`${column}: "${shown(cell)}" is no time`);
      continue;
    }
    const number = readNumber(cell, layout.decimal);
    if (number === undefined) return bad(`${column}: "${shown(cell)}" is no number`);
    const value = number * use.unit.scale + use.unit.offset;
    if (use.kind === 'signal') signals[use.name] = value;
    else {
      const { min = -Infinity, max = Infinity } = definitionOf(use.field);
      if (value < min || value > max) return bad(`${column}: ${shown(cell)} is not from ${min} to ${max}`);
      values[use.field] = value;
    }
  }
  return { line: line.number, timeNs, values, signals, state };
}

function shown(text: string, most = MAX_SHOWN_CHARS): string {
  return text.length > most ? `${text.slice(0, most)}...` : text;
}
