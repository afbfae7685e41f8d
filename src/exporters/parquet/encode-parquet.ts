import type { ColumnMetaData, Encoding } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import type { Batch, NodeData } from '../columns/batch.js';
import type { EncodeBatch, TableSpec, Zstd } from '../format.js';
import { textDictionary, type TextDictionary } from './dictionary.js';
import { levelsOf, type Levels } from './levels.js';
import { plainValues } from './plain.js';
import { bitWidthOf, encodeRle } from './rle.js';
import { parquetSchema, type ParquetLeaf } from './schema.js';
import { statisticsOf } from './statistics.js';

/** One row group as the footer tells of it; offsets count from the group's first byte. */
export interface RowGroupMeta {
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly ColumnMetaData[];
}

/** Each batch becomes one row group, its columns zstd-compressed pages of typed values. */
export function parquetEncoder(table: TableSpec, zstd: Zstd): EncodeBatch {
  const { leaves } = parquetSchema(table.columns, table.flatten);
  return (batch) => {
    const parts: Uint8Array[] = [];
    const columns: ColumnMetaData[] = [];
    let at = 0;
    for (const leaf of leaves) {
      const chunk = encodeChunk(batch, leaf, at, zstd);
      columns.push(chunk.meta);
      for (const part of chunk.parts) {
        parts.push(part);
        at += part.byteLength;
      }
    }
    const meta: RowGroupMeta = { rows: batch.rows, bytes: at, columns };
    const bytes = Buffer.concat(parts);
    return { rows: batch.rows, pieces: [{ part: '', bytes }], meta };
  };
}

interface Chunk {
  readonly parts: readonly Uint8Array[];
  readonly meta: ColumnMetaData;
}

function encodeChunk(batch: Batch, leaf: ParquetLeaf, offset: number, zstd: Zstd): Chunk {
  const levels = levelsOf(batch, leaf.columns);
  const node = constantNode(leaf) ?? batch.nodes[leaf.columns.at(-1)!.id]!;
  const constant = leaf.columns.at(-1)!.column;
  const places =
    constant.kind === 'leaf' && constant.constant !== undefined
      ? new Uint32Array(levels.values)
      : levels.indexes;
  const dictionary =
    leaf.type === 'string' && levels.values > 0 ? textDictionary(node, levels.values, places) : undefined;
  const pages: Page[] = [];
  if (dictionary !== undefined) pages.push(dictionaryPage(node, dictionary, zstd));
  const body =
    dictionary === undefined
      ? plainValues(node, leaf.type, levels.values, places)
      : dictionaryIndexes(dictionary);
  const encoding: Encoding = dictionary === undefined ? 'PLAIN' : 'RLE_DICTIONARY';
  pages.push(dataPage(batch.rows, levels, body, encoding, zstd));
  const parts = pages.flatMap((page) => page.parts);
  const sizes = pages.map((page) => page.parts.reduce((sum, part) => sum + part.byteLength, 0));
  const nulls = levels.entries - levels.values;
  return {
    parts,
    meta: {
      type: leaf.element.type!,
      encodings: dictionary === undefined ? ['PLAIN', 'RLE'] : ['PLAIN', 'RLE', 'RLE_DICTIONARY'],
      path_in_schema: [...leaf.path],
      codec: 'ZSTD',
      num_values: BigInt(levels.entries),
      total_uncompressed_size: BigInt(pages.reduce((sum, page) => sum + page.plainBytes, 0)),
      total_compressed_size: BigInt(sizes.reduce((sum, size) => sum + size, 0)),
      data_page_offset: BigInt(offset + (dictionary === undefined ? 0 : sizes[0]!)),
      ...(dictionary === undefined ? {} : { dictionary_page_offset: BigInt(offset) }),
      statistics:
        dictionary === undefined
          ? statisticsOf(node, leaf.type, levels.values, places, nulls)
          : statisticsOf(node, leaf.type, dictionary.first.length, Uint32Array.from(dictionary.first), nulls),
    },
  };
}

/** The single text of a constant column, as a node of one value. */
function constantNode({ columns }: ParquetLeaf): NodeData | undefined {
  const { column } = columns.at(-1)!;
  if (column.kind !== 'leaf' || column.constant === undefined) return undefined;
  const data = new TextEncoder().encode(column.constant);
  return { data, offsets: Uint32Array.of(0, data.length) };
}

interface Page {
  readonly parts: readonly Uint8Array[];
  /** With its head, before compression. */
  readonly plainBytes: number;
}

function dictionaryPage(node: NodeData, { first }: TextDictionary, zstd: Zstd): Page {
  const plain = plainValues(node, 'string', first.length, Uint32Array.from(first));
  const packed = zstd(plain);
  const head = new ByteWriter();
  writePageHeader(head, {
    type: 'DICTIONARY_PAGE',
    uncompressed_page_size: plain.byteLength,
    compressed_page_size: packed.byteLength,
    dictionary_page_header: { num_values: first.length, encoding: 'PLAIN', is_sorted: false },
  });
  return { parts: [head.getBytes(), packed], plainBytes: head.offset + plain.byteLength };
}

function dictionaryIndexes({ first, indexes }: TextDictionary): Uint8Array {
  const width = bitWidthOf(first.length - 1);
  return Buffer.concat([Uint8Array.of(width), encodeRle(indexes, indexes.length, width)]);
}

function dataPage(rows: number, levels: Levels, body: Uint8Array, encoding: Encoding, zstd: Zstd): Page {
  const { entries, values, repetition, definition, maxRepetition, maxDefinition } = levels;
  const rep = maxRepetition === 0 ? NO_BYTES : encodeRle(repetition!, entries, bitWidthOf(maxRepetition));
  const def = maxDefinition === 0 ? NO_BYTES : encodeRle(definition!, entries, bitWidthOf(maxDefinition));
  const packed = body.byteLength === 0 ? body : zstd(body);
  const head = new ByteWriter();
  writePageHeader(head, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: rep.byteLength + def.byteLength + body.byteLength,
    compressed_page_size: rep.byteLength + def.byteLength + packed.byteLength,
    data_page_header_v2: {
      num_values: entries,
      num_nulls: entries - values,
      num_rows: rows,
      encoding,
      definition_levels_byte_length: def.byteLength,
      repetition_levels_byte_length: rep.byteLength,
      // Nothing is not compressed: a frame of nothing has bytes.
      is_compressed: body.byteLength > 0,
    },
  });
  const plainBytes = head.offset + rep.byteLength + def.byteLength + body.byteLength;
  return { parts: [head.getBytes(), rep, def, packed], plainBytes };
}

const NO_BYTES = new Uint8Array(0);
