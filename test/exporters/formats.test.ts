import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zstd from '@foxglove/wasm-zstd';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { present } from '../../src/core/present.js';
import { BatchBuilder, type Batch } from '../../src/exporters/columns/batch.js';
import { columnsOf, unionOf, type StructColumn } from '../../src/exporters/columns/column.js';
import { compileCdr } from '../../src/exporters/columns/compile-cdr.js';
import { parseTypeTree } from '../../src/exporters/columns/type-tree.js';
import { encoderOf, frameOf } from '../../src/exporters/encoders.js';
import type { TableSpec } from '../../src/exporters/format.js';
import { encodeRle } from '../../src/exporters/parquet/rle.js';
import { crc32c, maskedCrc32c } from '../../src/exporters/tfrecord/crc32c.js';
import { arrowTable } from '../support/arrow.js';
import { bitwiseCrc32c, readTfRecords } from '../support/read-tfrecord.js';
import { common } from '../jobs/export/export-support.js';
import { definitionOf, encodeCdr, expectedValue, generatedType, generatedValue } from './generated-types.js';

const options = { littleEndian: true, layout: 'xcdr1', wideBytes: 2 } as const;

/** Encodes batches as one file of the format. */
function fileOf(spec: TableSpec, batches: readonly Batch[]): Buffer {
  const encode = encoderOf(spec, (data) => zstd.compress(data, 1));
  const frame = present(frameOf(spec, 'test'));
  const parts: Uint8Array[] = [frame.start()];
  for (const batch of batches) {
    const encoded = encode(batch);
    frame.add(encoded);
    parts.push(...encoded.pieces.map(({ bytes }) => bytes));
  }
  return Buffer.concat([...parts, frame.finish()]);
}

/** Empty messages have no columns of their own in Parquet: {} is read back as false. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return entries.length === 0
    ? false
    : Object.fromEntries(entries.map(([name, one]) => [name, withoutEmpty(one)]));
}

describe('table formats', function () {
  this.timeout(60_000);
  let folder: string;
  let db: DuckDBConnection;
  let files = 0;

  before(async () => {
    await zstd.isLoaded;
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-formats-'));
    db = await (await DuckDBInstance.create(':memory:')).connect();
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('gives DuckDB every value of generated messages of generated types, also after a change of type, and arrow-rs every row', async () => {
    const cases = fc
      .tuple(generatedType(2), generatedType(1))
      .chain(([one, two]) =>
        fc.tuple(
          fc.constant([one, two] as const),
          fc.array(generatedValue(one), { maxLength: 12 }),
          fc.array(generatedValue(two), { maxLength: 4 }),
          fc.boolean(),
        ),
      );
    await fc.assert(
      fc.asyncProperty(cases, async ([[one, two], first, second, evolves]) => {
        if (one.length === 0) return;
        const types = [one, two].map((type) => parseTypeTree(definitionOf(type), ''));
        const shape = { flatten: false };
        const own = columnsOf(types[0]!, shape);
        const columns: StructColumn = evolves ? unionOf(own, columnsOf(types[1]!, shape), false) : own;
        const builder = new BatchBuilder(columns);
        const decode = types.map((type, i) =>
          i === 0 || evolves ? compileCdr(type, builder, builder.root, shape) : () => {},
        );
        const batches: Batch[] = [];
        first.forEach((value, i) => {
          decode[0]!(encodeCdr(one, value, options));
          if (i % 5 === 4) batches.push(builder.take());
        });
        if (evolves) for (const value of second) decode[1]!(encodeCdr(two, value, options));
        batches.push(builder.take());
        // A name of its own: DuckDB keeps what it read of a file.
        const path = join(folder, `generated-${files++}.parquet`);
        const spec: TableSpec = { format: 'parquet', columns, flatten: false };
        await fs.writeFile(
          path,
          fileOf(
            spec,
            batches.filter(({ rows }) => rows > 0),
          ),
        );
        const rows = (await db.runAndReadAll(`SELECT * FROM '${path}'`)).getRowObjects();
        assert.equal(arrowTable(await fs.readFile(path)).numRows, rows.length);
        assert.equal(rows.length, first.length + (evolves ? second.length : 0));
        first.forEach((value, i) => {
          const expected = common(expectedValue(one, value)) as Record<string, unknown>;
          const row = common(rows[i]) as Record<string, unknown>;
          for (const [name, wanted] of Object.entries(expected)) {
            // In a union nested structs have the other version's fields too, as null.
            if (!evolves) assert.deepEqual(row[name], withoutEmpty(wanted));
            else assert.ok(name in row);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('packs levels so that they are read back, for any runs', () => {
    const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(runs, (list) => {
        const values = Uint8Array.from(list.flatMap(([value, length]) => Array<number>(length).fill(value)));
        assert.deepEqual(decodeRle(encodeRle(values, values.length, 3), values.length, 3), [...values]);
      }),
    );
  });

  it('computes CRC-32C and its mask as published', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    // The masked CRC of the length 24 in the TFRecord documentation's style, computed bit by bit.
    const crc = bitwiseCrc32c(Buffer.from([24, 0, 0, 0, 0, 0, 0, 0]));
    assert.equal(
      maskedCrc32c(Buffer.from([24, 0, 0, 0, 0, 0, 0, 0])),
      (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0,
    );
  });

  it('writes TFRecords whose framing, checksums and Examples an independent reader accepts', () => {
    const type = [
      { base: 'int64', array: undefined },
      { base: 'float32', array: 3 },
      { base: 'string', array: 'sequence' },
      { base: 'uint8', array: 'sequence' },
      { base: 'bool', array: undefined },
    ] as const;
    const tree = parseTypeTree(definitionOf(type), '');
    const columns = columnsOf(tree, { flatten: false });
    const builder = new BatchBuilder(columns);
    const decode = compileCdr(tree, builder, builder.root, { flatten: false });
    const values = [
      [-5n, [1.5, -2, 0.25], ['a', 'é'], [1, 2, 255], true],
      [2n ** 62n, [0, 0, 0], [], [], false],
    ];
    for (const value of values) decode(encodeCdr(type, value, options));
    const records = readTfRecords(fileOf({ format: 'tfrecord', columns, flatten: false }, [builder.take()]));
    assert.deepEqual(records, [
      { f0: [-5n], f1: [1.5, -2, 0.25], f2: ['a', 'é'], f3: [Buffer.from([1, 2, 255])], f4: [1n] },
      { f0: [2n ** 62n], f1: [0, 0, 0], f2: [], f3: [''], f4: [0n] },
    ]);
  });

  it('gives CSV one row per element of a list of structs', () => {
    const type = [
      { base: 'string', array: undefined },
      {
        base: [
          { base: 'string', array: undefined },
          { base: 'float64', array: undefined },
        ],
        array: 'sequence',
      },
    ] as const;
    const tree = parseTypeTree(definitionOf(type), '');
    const columns = columnsOf(tree, { flatten: true });
    const builder = new BatchBuilder(columns);
    const decode = compileCdr(tree, builder, builder.root, { flatten: true });
    decode(
      encodeCdr(
        type,
        [
          'fleet',
          [
            ['a, "b"', 1],
            ['', NaN],
          ],
        ],
        options,
      ),
    );
    decode(encodeCdr(type, ['none', []], options));
    decode(encodeCdr(type, ['one', [['c\nd', -Infinity]]], options));
    const spec: TableSpec = { format: 'csv', columns, flatten: true, explode: 'f1' };
    assert.equal(
      fileOf(spec, [builder.take()]).toString(),
      'f0,f1.f0,f1.f1\nfleet,"a, ""b""",1\nfleet,"",NaN\none,"c\nd",-Infinity\n',
    );
  });

  it('guards texts of CSV that a spreadsheet takes for formulas, if asked to, and no numbers', () => {
    const type = [
      { base: 'string', array: undefined },
      { base: 'float64', array: undefined },
    ] as const;
    const tree = parseTypeTree(definitionOf(type), '');
    const columns = columnsOf(tree, { flatten: true });
    const builder = new BatchBuilder(columns);
    const decode = compileCdr(tree, builder, builder.root, { flatten: true });
    const texts = ['=1+1', '+1', '-1', '@a', '\tx', 'a=b', '=HYPERLINK("x")'];
    for (const text of texts) decode(encodeCdr(type, [text, -1], options));
    const spec: TableSpec = { format: 'csv', columns, flatten: true, guardFormulas: true };
    assert.equal(
      fileOf(spec, [builder.take()]).toString(),
      `f0,f1\n'=1+1,-1\n'+1,-1\n'-1,-1\n'@a,-1\n'\tx,-1\na=b,-1\n"'=HYPERLINK(""x"")",-1\n`,
    );
  });

  it('writes JSON for what JSON has no word for', () => {
    const type = [
      { base: 'uint64', array: undefined },
      { base: 'float64', array: 'sequence' },
      { base: 'uint8', array: 'sequence' },
      { base: 'time', array: undefined },
      { base: 'float32', array: undefined },
    ] as const;
    const tree = parseTypeTree(definitionOf(type), '');
    const columns = columnsOf(tree, { flatten: false });
    const builder = new BatchBuilder(columns);
    const value = [
      2n ** 64n - 1n,
      [NaN, Infinity, -Infinity, -0],
      [0, 255],
      { sec: -1, nanosec: 5 },
      Math.fround(0.1),
    ];
    compileCdr(tree, builder, builder.root, { flatten: false })(encodeCdr(type, value, options));
    assert.equal(
      fileOf({ format: 'jsonl', columns, flatten: false }, [builder.take()]).toString(),
      '{"f0":18446744073709551615,"f1":["NaN","Infinity","-Infinity",-0],"f2":"AP8=","f3":"1969-12-31T23:59:59.000000005Z","f4":0.1}\n',
    );
  });
});

/** Parquet's RLE/bit-packing hybrid, read by the book. */
function decodeRle(bytes: Uint8Array, count: number, width: number): number[] {
  const out: number[] = [];
  let at = 0;
  while (out.length < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      header |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if ((header & 1) === 0) {
      const value = bytes[at++]!;
      for (let i = 0; i < header >> 1; i++) out.push(value);
      continue;
    }
    const values = (header >> 1) * 8;
    for (let i = 0; i < values; i++) {
      let value = 0;
      for (let bit = 0; bit < width; bit++) {
        const position = i * width + bit;
        value |= ((bytes[at + (position >> 3)]! >> (position & 7)) & 1) << bit;
      }
      if (out.length < count) out.push(value);
    }
    at += (values * width) / 8;
  }
  assert.equal(at, bytes.length);
  return out;
}
