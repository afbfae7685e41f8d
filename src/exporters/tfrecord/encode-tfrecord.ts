import type { Batch, PlacedColumn } from '../columns/batch.js';
import { leafValue } from '../columns/batch-rows.js';
import { flatColumns, isNull, type FlatColumn } from '../columns/flat-columns.js';
import type { LeafType } from '../columns/column.js';
import type { EncodeBatch, TableSpec } from '../format.js';
import { jsonAt } from '../text/text-value.js';
import { maskedCrc32c } from './crc32c.js';
import { ProtoWriter } from './proto-writer.js';
import { present } from '../../core/present.js';

type FeatureKind = 'bytes' | 'float' | 'int64';

interface Feature {
  readonly flat: FlatColumn;
  readonly name: Uint8Array;
  readonly kind: FeatureKind;
  /**
   * The leaf with the values: the column itself, or the element of a list. Undefined: deeper structures are
   * JSON text.
   */
  readonly leaf: PlacedColumn | undefined;
}

const floats: ReadonlySet<LeafType> = new Set(['float32', 'float64']);
const texts: ReadonlySet<LeafType> = new Set(['string', 'bytes', 'json']);

/**
 * One `tf.train.Example` per message, with one feature per column. Integers, booleans and times are
 * int64_list; floats are float_list (Example has only 32 bits); texts and bytes are bytes_list; lists are
 * longer lists; lists of structs are JSON. A missing value is an empty feature. Unsigned 64-bit values keep
 * their bits.
 */
export function tfrecordEncoder(table: TableSpec): EncodeBatch {
  const features = flatColumns(table.columns).map(featureOf);
  return (batch) => {
    const out = new ProtoWriter();
    for (let row = 0; row < batch.rows; row++) record(out, batch, features, row);
    return { rows: batch.rows, pieces: [{ part: '', bytes: out.bytes() }] };
  };
}

function featureOf(flat: FlatColumn): Feature {
  const name = new TextEncoder().encode(flat.name);
  const { column } = flat;
  const leaf = column.kind === 'leaf' ? flat.at : flat.at.children[0]!;
  if (leaf.column.kind !== 'leaf' || (column.kind === 'list' && leaf.column.optional)) {
    return { flat, name, kind: 'bytes', leaf: undefined };
  }
  const { type } = leaf.column;
  const kind = floats.has(type) ? 'float' : texts.has(type) ? 'bytes' : 'int64';
  return { flat, name, kind, leaf };
}

const HEAD_BYTES = 12;
const FIELD: Readonly<Record<FeatureKind, number>> = { bytes: 1, float: 2, int64: 3 };

/** Length, its masked CRC, the Example, its masked CRC. */
function record(out: ProtoWriter, batch: Batch, features: readonly Feature[], row: number): void {
  const start = out.reserve(HEAD_BYTES);
  const body = out.length;
  // Example { features: 1 }, Features { feature: map 1 }, entry { key: 1, value: 2 }, Feature { kind: 1|2|3 }.
  out.nested(1, () => {
    for (const feature of features) {
      out.nested(1, () => {
        out.bytesField(1, feature.name);
        out.nested(2, () => out.nested(FIELD[feature.kind], () => values(out, batch, feature, row)));
      });
    }
  });
  const end = out.length;
  out.patchUint32(start, end - body);
  out.patchUint32(start + 4, 0);
  out.patchUint32(start + 8, maskedCrc32c(out.buffer, start, start + 8));
  const tail = out.reserve(4);
  out.patchUint32(tail, maskedCrc32c(out.buffer, body, end));
}

function values(out: ProtoWriter, batch: Batch, { flat, kind, leaf }: Feature, row: number): void {
  if (isNull(batch, flat, row)) return;
  if (leaf === undefined) {
    out.bytesField(1, new TextEncoder().encode(jsonAt(batch, flat.at, row)));
    return;
  }
  const column = leaf.column as Extract<PlacedColumn['column'], { kind: 'leaf' }>;
  if (column.constant !== undefined) {
    out.bytesField(1, new TextEncoder().encode(column.constant));
    return;
  }
  const { offsets } = batch.nodes[flat.at.id]!;
  const isList = flat.column.kind === 'list';
  const [from, to] = isList ? [present(offsets)[row]!, present(offsets)[row + 1]!] : [row, row + 1];
  if (from === to) return;
  const node = batch.nodes[leaf.id]!;
  if (kind === 'bytes') {
    for (let i = from; i < to; i++) {
      out.bytesField(1, present(node.data).subarray(present(node.offsets)[i], present(node.offsets)[i + 1]));
    }
  } else if (kind === 'float') {
    out.floats(1, present(node.values), from, to);
  } else {
    out.nested(1, () => {
      for (let i = from; i < to; i++) {
        const value = leafValue(node, column.type, i);
        if (typeof value === 'bigint') out.varint64(value);
        else out.varint(Number(value));
      }
    });
  }
}
