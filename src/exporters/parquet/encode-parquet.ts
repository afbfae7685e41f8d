import type { ColumnMetaData, Encoding } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import type { Batch, NodeData } from '../columns/batch.js';
import type { EncodeBatch, ParquetCodec, TableSpec, Zstd } from '../format.js';
import { textDictionary, type TextDictionary } from './dictionary.js';
import { levelsOf, type Levels } from './levels.js';
import { plainValues } from './plain.js';
import { bitWidthOf, encodeRle } from './rle.js';
import { parquetSchema, type ParquetLeaf } from './schema.js';
import { statisticsOf } from './statistics.js';
import { present } from '../../core/present.js';

/** One row group as in the footer; offsets count from the group's first byte. */
export interface RowGroupMeta {
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly ColumnMetaData[];
}

/** Each batch becomes one row group, with its columns as compressed pages of typed values. */
export function parquetEncoder(table: TableSpec, zstd: Zstd): EncodeBatch {
  const { leaves } = parquetSchema(table.columns, table.flatten);
  const codec = codecOf(table.codec ?? 'zstd', zstd);
  return (batch) => {
    const parts: Uint8Array[] = [];
    const columns: ColumnMetaData[] = [];
    let at = 0;
    for (const leaf of leaves) {
      const chunk = encodeChunk(batch, leaf, at, codec);
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

interface Codec {
  /** The name in the footer. */
  readonly name: 'ZSTD' | 'SNAPPY' | 'UNCOMPRESSED';
  readonly pack: (data: Uint8Array) => Uint8Array;
}

function codecOf(codec: ParquetCodec, zstd: Zstd): Codec {
  switch (codec) {
    case 'zstd':
      return { name: 'ZSTD', pack: zstd };
    case 'snappy':
      return { name: 'SNAPPY', pack: snappyCompress };
    case 'none':
      return { name: 'UNCOMPRESSED', pack: (data) => data };
  }
}

interface Chunk {
  readonly parts: readonly Uint8Array[];
  readonly meta: ColumnMetaData;
}

function encodeChunk(batch: Batch, leaf: ParquetLeaf, offset: number, codec: Codec): Chunk {
  const levels = levelsOf(batch, leaf.columns);
  const node = constantNode(leaf) ?? batch.nodes[present(leaf.columns.at(-1)).id]!;
  const constant = present(leaf.columns.at(-1)).column;
  const places =
    constant.kind === 'leaf' && constant.constant !== undefined
      ? new Uint32Array(levels.values)
      : levels.indexes;
  const dictionary =
    leaf.type === 'string' && levels.values > 0 ? textDictionary(node, levels.values, places) : undefined;
  const pages: Page[] = [];
  if (dictionary !== undefined) pages.push(dictionaryPage(node, dictionary, codec));
  const body =
    dictionary === undefined
      ? plainValues(node, leaf.type, levels.values, places)
      : dictionaryIndexes(dictionary);
  const encoding: Encoding = dictionary === undefined ? 'PLAIN' : 'RLE_DICTIONARY';
  pages.push(dataPage(batch.rows, levels, body, encoding, codec));
  const parts = pages.flatMap((page) => page.parts);
  const sizes = pages.map((page) => page.parts.reduce((sum, part) => sum + part.byteLength, 0));
  const nulls = levels.entries - levels.values;
  return {
    parts,
    meta: {
      type: present(leaf.element.type),
      encodings: dictionary === undefined ? ['PLAIN', 'RLE'] : ['PLAIN', 'RLE', 'RLE_DICTIONARY'],
      path_in_schema: [...leaf.path],
      codec: codec.name,
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
  const { column } = present(columns.at(-1));
  if (column.kind !== 'leaf' || column.constant === undefined) return undefined;
  const data = new TextEncoder().encode(column.constant);
  return { data, offsets: Uint32Array.of(0, data.length) };
}

interface Page {
  readonly parts: readonly Uint8Array[];
  /** Including its head, before compression. */
  readonly plainBytes: number;
}

function dictionaryPage(node: NodeData, { first }: TextDictionary, codec: Codec): Page {
  const plain = plainValues(node, 'string', first.length, Uint32Array.from(first));
  const packed = codec.pack(plain);
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

function dataPage(rows: number, levels: Levels, body: Uint8Array, encoding: Encoding, codec: Codec): Page {
  const { entries, values, repetition, definition, maxRepetition, maxDefinition } = levels;
  const rep =
    maxRepetition === 0 ? NO_BYTES : encodeRle(present(repetition), entries, bitWidthOf(maxRepetition));
  const def =
    maxDefinition === 0 ? NO_BYTES : encodeRle(present(definition), entries, bitWidthOf(maxDefinition));
  const packed = body.byteLength === 0 ? body : codec.pack(body);
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
      // An empty page is not compressed, because an empty frame has bytes.
      is_compressed: body.byteLength > 0 && codec.name !== 'UNCOMPRESSED',
    },
  });
  const plainBytes = head.offset + rep.byteLength + def.byteLength + body.byteLength;
  return { parts: [head.getBytes(), rep, def, packed], plainBytes };
}

const NO_BYTES = new Uint8Array(0);
