import { placeColumns } from '../columns/batch.js';
import type { EncodeBatch, TableSpec } from '../format.js';
import { jsonAt } from './text-value.js';

/** One JSON object per message and line. `json` columns hold the JSON of the message without line breaks. */
export function jsonLinesEncoder(table: TableSpec): EncodeBatch {
  const root = placeColumns(table.columns);
  return (batch) => {
    const lines: string[] = [];
    for (let row = 0; row < batch.rows; row++) {
      // Embedded JSON has line breaks only between tokens, where a blank is equivalent.
      lines.push(jsonAt(batch, root, row).replace(/[\r\n]+/g, ' '), '\n');
    }
    return { rows: batch.rows, pieces: [{ part: '', bytes: Buffer.from(lines.join('')) }] };
  };
}
