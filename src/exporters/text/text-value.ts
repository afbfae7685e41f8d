import { valueAt, wideAt, leafValue } from '../columns/batch-rows.js';
import type { Batch, PlacedColumn } from '../columns/batch.js';
import { formatTime } from '../../core/clock.js';
import { present } from '../../core/present.js';
import { plainText } from '../../core/plain-text.js';

/**
 * A value as JSON text. 64-bit integers are numbers with all their digits. NaN and the infinities, which JSON
 * cannot express, are "NaN", "Infinity" and "-Infinity". Bytes are base64, times are ISO 8601 with
 * nanoseconds, durations are whole nanoseconds.
 */
export function jsonAt(batch: Batch, at: PlacedColumn, index: number): string {
  const { column, children, id } = at;
  const node = batch.nodes[id]!;
  if (column.optional && present(node.valid)[index] === 0) return 'null';
  if (column.kind === 'struct') {
    let text = '{';
    for (const child of children) {
      if (text.length > 1) text += ',';
      text += `${JSON.stringify(child.name)}:${jsonAt(batch, child, index)}`;
    }
    return `${text}}`;
  }
  if (column.kind === 'list') {
    const parts: string[] = [];
    const { offsets } = node;
    for (let i = present(offsets)[index]!; i < present(offsets)[index + 1]!; i++)
      parts.push(jsonAt(batch, children[0]!, i));
    return `[${parts.join(',')}]`;
  }
  if (column.constant !== undefined) return JSON.stringify(column.constant);
  switch (column.type) {
    case 'time':
      return `"${timeText(wideAt(node, index))}"`;
    case 'float32':
    case 'float64': {
      const value = present(node.values)[index]!;
      return Number.isFinite(value) ? numberText(value, column.type === 'float32') : `"${value}"`;
    }
    case 'bytes':
      return `"${base64(leafValue(node, 'bytes', index) as Uint8Array)}"`;
    case 'string':
      return JSON.stringify(valueAt(batch, at, index));
    case 'json':
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
      return plainText(leafValue(node, column.type, index));
  }
}

/** The shortest digits that parse to the same number, for a float32 to the same float32. */
export function numberText(value: number, single: boolean): string {
  if (Object.is(value, -0)) return '-0';
  if (!single || Number.isInteger(value)) return String(value);
  for (let digits = 6; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

/** ISO 8601 in UTC with nine decimals. */
export function timeText(ns: bigint): string {
  if (ns >= 0n) return formatTime(ns);
  // Before 1970: the full second below, and the remainder.
  const seconds = (ns - 999_999_999n) / 1_000_000_000n;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${date}.${String(ns - seconds * 1_000_000_000n).padStart(9, '0')}Z`;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
