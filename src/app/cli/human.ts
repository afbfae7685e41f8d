/** Numbers and tables for people. Machines read `--json`. */

export { humanBytes, humanCount, humanDuration } from '../../core/human-numbers.js';

/** A column: how its head reads and whether its cells are numbers. */
export interface Column {
  readonly head: string;
  readonly right?: boolean;
}

/** A plain table, one line per row, columns as wide as their widest cell. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  // Not Math.max(...): a hundred thousand arguments are too many for a call.
  const widths = columns.map(({ head }, index) =>
    rows.reduce((widest, row) => Math.max(widest, printable(row[index] ?? '').length), head.length),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, index) => {
        const cell = printable(cells[index] ?? '');
        return right ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ head }) => head)), ...rows.map(line)];
}

/** Names come from outside: nothing in them may move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
