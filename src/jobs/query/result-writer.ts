import { quoted, withoutFormula } from '../../exporters/text/csv.js';
import { renderTable } from '../../host/human.js';
import type { ColumnText } from './query-value.js';

export const outputFormats = ['table', 'csv', 'json', 'jsonl'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** A column of a result. */
export interface ResultColumn extends ColumnText {
  readonly name: string;
  /** Numbers, which a table aligns to the right. */
  readonly right: boolean;
}

/** Writes a result, run of rows by run of rows. */
export interface ResultWriter {
  rows(rows: readonly (readonly unknown[])[]): Promise<void>;
  /** @param more there are rows beyond the limit */
  end(more: boolean): Promise<void>;
}

/** One line or several, without the last line end. */
export type WriteLines = (lines: string) => Promise<void>;

/** Maximum characters of a cell of a table; the other formats have all of it. */
const CELL_CHARS = 48;

export function openWriter(
  { format, guardFormulas }: { readonly format: OutputFormat; readonly guardFormulas: boolean },
  columns: readonly ResultColumn[],
  write: WriteLines,
): ResultWriter {
  switch (format) {
    case 'table':
      return columns[0]?.name === 'explain_key' ? planWriter(columns, write) : tableWriter(columns, write);
    case 'csv':
      return csvWriter(columns, guardFormulas, write);
    case 'json':
      return jsonWriter(columns, write);
    case 'jsonl': {
      const line = objectText(columns);
      return {
        rows: (rows) => (rows.length === 0 ? Promise.resolve() : write(rows.map(line).join('\n'))),
        end: () => Promise.resolve(),
      };
    }
  }
}

/** Holds all rows: the limit bounds them. */
function tableWriter(columns: readonly ResultColumn[], write: WriteLines): ResultWriter {
  const cells: string[][] = [];
  return {
    rows: (rows) => {
      for (const row of rows) cells.push(columns.map((column, i) => cell(column, row[i])));
      return Promise.resolve();
    },
    async end(more) {
      const heads = columns.map(({ name, right }) => ({ head: name, right }));
      await write(renderTable(heads, cells).join('\n'));
      if (more) await write(`... more rows than ${cells.length}: --limit 0 gives all`);
    },
  };
}

/** For EXPLAIN: a drawing of several lines. */
function planWriter(columns: readonly ResultColumn[], write: WriteLines): ResultWriter {
  return {
    rows: (rows) => write(rows.map((row) => columns[1]!.plain(row[1]).trimEnd()).join('\n')),
    end: () => Promise.resolve(),
  };
}

function cell({ plain }: ResultColumn, value: unknown): string {
  if (value === null) return 'NULL';
  const text = plain(value);
  return text.length > CELL_CHARS ? `${text.slice(0, CELL_CHARS - 3)}...` : text;
}

function csvWriter(columns: readonly ResultColumn[], guard: boolean, write: WriteLines): ResultWriter {
  const safe = (text: string): string => (guard ? withoutFormula(text) : text);
  const field = ({ plain, right }: ResultColumn, value: unknown): string => {
    if (value === null) return '';
    // A number is not a formula, even a negative one.
    return quoted(right ? plain(value) : safe(plain(value)), true);
  };
  let head: string | undefined = columns.map(({ name }) => quoted(safe(name), false)).join(',');
  const flush = async (lines: readonly string[]): Promise<void> => {
    const all = head === undefined ? lines : [head, ...lines];
    head = undefined;
    if (all.length > 0) await write(all.join('\n'));
  };
  return {
    rows: (rows) => flush(rows.map((row) => columns.map((column, i) => field(column, row[i])).join(','))),
    end: () => flush([]),
  };
}

/**
 * One array, one row per line. The last line is held back, because it is not known yet whether a comma
 * follows.
 */
function jsonWriter(columns: readonly ResultColumn[], write: WriteLines): ResultWriter {
  const line = objectText(columns);
  let held: string | undefined;
  return {
    async rows(rows) {
      const lines = rows.map(line);
      if (held !== undefined) lines.unshift(held);
      else if (lines.length > 0) lines[0] = `[${lines[0]}`;
      held = lines.pop();
      if (lines.length > 0) await write(lines.map((one) => `${one},`).join('\n'));
    },
    end: () => write(`${held ?? '['}]`),
  };
}

function objectText(columns: readonly ResultColumn[]): (row: readonly unknown[]) => string {
  const names = columns.map(({ name }) => JSON.stringify(name));
  return (row) => `{${columns.map(({ json }, i) => `${names[i]}:${json(row[i])}`).join(',')}}`;
}
