import type { FileSystem } from '../../core/file-system.js';
import { logLines } from './log-lines.js';
import { readRow, type BadRow, type Layout, type Row } from './row-reader.js';

/** The log starts over from its first row. */
export interface PassBegins {
  readonly pass: number;
}

/**
 * The rows of a log, `passes` times, each with its line number, including rows that cannot be read. A log
 * without any good row is read once, for any number of passes.
 */
export async function* logRows(
  fs: FileSystem,
  path: string,
  layout: Layout,
  passes: number,
  signal: AbortSignal,
): AsyncGenerator<Row | BadRow | PassBegins> {
  for (let pass = 0; pass < passes; pass++) {
    let hasHeader = false;
    let hasRows = false;
    const handle = await fs.open(path, 'r');
    try {
      yield { pass };
      for await (const lines of logLines(handle, signal)) {
        for (const line of lines) {
          const isHeader = !hasHeader && line.text?.trim() !== '';
          if (isHeader) hasHeader = true;
          const row = isHeader ? undefined : readRow(line, layout);
          if (row === undefined) continue;
          if ('values' in row) hasRows = true;
          yield row;
        }
      }
    } finally {
      await handle.close();
    }
    if (!hasRows) return;
  }
}
