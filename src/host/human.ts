/** Numbers and tables for people. Machines read `--json`. */

import { printable } from '../core/unseen-text.js';

export { humanBytes, humanCount, humanDuration } from '../core/human-numbers.js';
export { printable };

/** Maximum characters of a cell: one long name must not push all other columns out of sight. */
const CELL_CHARS = 80;

/** A column: its heading, and whether its cells are numbers. */
export interface Column {
  readonly head: string;
  readonly right?: boolean;
  /** Maximum characters of a cell; longer text is cut. Default: {@link CELL_CHARS}. */
  readonly maxChars?: number;
}

/** A plain table, one line per row, columns as wide as their widest cell. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  // Not Math.max(...): a hundred thousand arguments are too many for a call.
  const cellOf = (row: readonly string[], index: number): string =>
    shortened(printable(row[index] ?? ''), columns[index]!.maxChars ?? CELL_CHARS);
  const widths = columns.map(({ head }, index) =>
    rows.reduce((widest, row) => Math.max(widest, cellOf(row, index).length), shortened(head).length),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, index) => {
        const cell = cellOf(cells, index);
        return right ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ head }) => head)), ...rows.map(line)];
}

function shortened(text: string, maxChars = CELL_CHARS): string {
  return text.length > maxChars ? `${text.slice(0, maxChars - 3)}...` : text;
}
