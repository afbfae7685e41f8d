import assert from 'node:assert/strict';
import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import { present } from '../../src/core/present.js';
import { MessageTable } from '../../src/exporters/columns/message-table.js';
import { npyEncoder, type NpyMeta } from '../../src/exporters/numpy/encode-npy.js';

const separator = `\n${'='.repeat(80)}\n`;
const definition = [
  'std_msgs/Header header\nuint32 height\nuint32 width\nsensor_msgs/PointField[] fields\nbool is_bigendian\n' +
    'uint32 point_step\nuint32 row_step\nuint8[] data\nbool is_dense',
  'MSG: sensor_msgs/PointField\nstring name\nuint32 offset\nuint8 datatype\nuint32 count',
  'MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id',
  'MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec',
].join(separator);
const writer = new MessageWriter(parse(definition, { ros2: true }));
const FLOAT = 7;

interface Field {
  readonly name: string;
  readonly offset: number;
  readonly datatype: number;
  readonly count: number;
}
interface Cloud {
  readonly height?: number;
  readonly width: number;
  readonly fields?: readonly Field[];
  readonly big?: boolean;
  readonly step?: number;
  readonly rowStep?: number;
  readonly data: Uint8Array;
}

const field = (name: string, offset: number, datatype = FLOAT, count = 1): Field => ({
  ...{ name, offset, datatype, count },
});
const xy = [field('x', 0), field('y', 4)];
/** x and y of points, and bytes of padding after each row of `width`. */
function points(values: readonly number[], width = values.length, padding = 0, big = false): Uint8Array {
  const parts: Buffer[] = [];
  for (let i = 0; i < values.length; i++) {
    const point = Buffer.alloc(8);
    if (big) point.writeFloatBE(values[i]!, 0);
    else point.writeFloatLE(values[i]!, 0);
    parts.push(point);
    if ((i + 1) % width === 0) parts.push(Buffer.alloc(padding, 0xee));
  }
  return Buffer.concat(parts);
}

interface Points {
  readonly dtype: string;
  readonly values: number[];
}

/** The point arrays of clouds and how many points each has; undefined where the data stays as bytes. */
function pointsOf(...clouds: readonly Cloud[]): { of: Record<string, Points>; counts: number[] } | undefined {
  const schema = { name: 'sensor_msgs/msg/PointCloud2', encoding: 'ros2msg', data: Buffer.from(definition) };
  const kind = { encoding: 'cdr', schema };
  const table = new MessageTable([kind], { flatten: false, raw: false, robot: '', topic: '' });
  const add = table.adder(kind);
  for (const { height = 1, width, fields = xy, big = false, step = 8, rowStep = 0, data } of clouds) {
    const header = { stamp: { sec: 0, nanosec: 0 }, frame_id: 'l' };
    const shape = { height, width, fields, is_bigendian: big, point_step: step, row_step: rowStep };
    const payload = writer.writeMessage({ header, ...shape, data, is_dense: true });
    assert.equal(
      add({ logTime: 1n, publishTime: 1n, robot: '', topic: '', sequence: 0 }, payload),
      undefined,
    );
  }
  const { pieces, meta } = npyEncoder({ format: 'numpy', columns: table.columns, flatten: false })(
    table.take(),
  );
  const layout = (meta as NpyMeta).points;
  if (layout === undefined) return undefined;
  const bytesOf = (part: string): Buffer =>
    Buffer.from(present(pieces.find((one) => one.part === part)).bytes);
  const of = layout.fields.map(({ name, dtype }, k): [string, Points] => {
    const bytes = bytesOf(`p${k}`);
    const size = Number(dtype.slice(2));
    const read = (at: number): number => {
      if (dtype.endsWith('f4')) return dtype.startsWith('>') ? bytes.readFloatBE(at) : bytes.readFloatLE(at);
      return dtype.startsWith('>') ? bytes.readUIntBE(at, size) : bytes.readUIntLE(at, size);
    };
    return [name, { dtype, values: Array.from({ length: bytes.length / size }, (_, i) => read(i * size)) }];
  });
  const counts = bytesOf('np');
  return {
    of: Object.fromEntries(of),
    counts: Array.from({ length: counts.length / 4 }, (_, i) => counts.readUInt32LE(4 * i)),
  };
}

const xOf = (...clouds: readonly Cloud[]): number[] | undefined => pointsOf(...clouds)?.of['x']!.values;

describe('point clouds in NumPy', () => {
  it('have no points of the padding behind rows, nor of bytes behind the last one', () => {
    const padded = points([1, 3, 5, 7], 2, 8);
    assert.deepEqual(xOf({ height: 2, width: 2, rowStep: 24, data: padded }), [1, 3, 5, 7]);
    // The last row may end with its last point.
    assert.deepEqual(xOf({ height: 2, width: 2, rowStep: 24, data: padded.subarray(0, 40) }), [1, 3, 5, 7]);
    assert.deepEqual(xOf({ width: 2, rowStep: 16, data: points([1, 3, 9, 9]) }), [1, 3]);
    assert.deepEqual(xOf({ width: 2, rowStep: 16, data: points([1, 3], 2, 3) }), [1, 3]);
    const three = points([1, 2, 3, 4, 5, 6], 2, 5);
    assert.deepEqual(xOf({ height: 3, width: 2, rowStep: 21, data: three }), [1, 2, 3, 4, 5, 6]);
  });

  it('have rows without padding if the row step is impossible', () => {
    const data = points([1, 3, 5, 7]);
    // None, that of the whole cloud, less than the points of a row, far outside of the data.
    for (const rowStep of [0, 32, 16, 15, 8, 4_294_967_295]) {
      assert.deepEqual(xOf({ height: 2, width: 2, rowStep, data }), [1, 3, 5, 7], `${rowStep}`);
    }
    assert.deepEqual(xOf({ height: 1, width: 4, rowStep: 8, data }), [1, 3, 5, 7]);
  });

  it('stay apart if clouds of one topic differ in size and padding', () => {
    const found = present(
      pointsOf(
        { height: 2, width: 2, rowStep: 24, data: points([1, 3, 5, 7], 2, 8) },
        { height: 0, width: 0, data: new Uint8Array(0) },
        { width: 0, data: points([9]) },
        { height: 4, width: 0, rowStep: 8, data: points([9]) },
        { width: 3, data: points([2, 4, 6]) },
      ),
    );
    assert.deepEqual(found.of['x']!.values, [1, 3, 5, 7, 2, 4, 6]);
    assert.deepEqual(found.counts, [4, 0, 0, 0, 3]);
  });

  it('keep their byte order, fields in any order, with gaps, twice over the same bytes, and of several values', () => {
    const big = present(
      pointsOf({
        width: 2,
        big: true,
        height: 2,
        rowStep: 20,
        data: points([1, 2, 3, 4], 2, 4, true),
      }),
    );
    assert.deepEqual(big.of['x'], { dtype: '>f4', values: [1, 2, 3, 4] });
    const data = Buffer.alloc(2 * 17);
    for (const at of [0, 17]) {
      data.writeUInt16LE(at + 1, at + 15);
      data.writeFloatLE(at + 2, at + 3);
      data.writeUInt8(at + 3, at);
      data.writeUInt8(at + 4, at + 1);
    }
    const fields = [field('last', 15, 4), field('x', 3), field('pair', 0, 2, 2), field('first', 0, 2, 0)];
    const { of } = present(pointsOf({ width: 2, step: 17, fields, data }));
    assert.deepEqual(of, {
      last: { dtype: '<u2', values: [1, 18] },
      x: { dtype: '<f4', values: [2, 19] },
      pair: { dtype: '|u1', values: [3, 4, 20, 21] },
      first: { dtype: '|u1', values: [3, 20] },
    });
  });

  it('are left as bytes if they say more points than they have, or fields outside of a point', () => {
    assert.equal(pointsOf({ width: 5, data: points([1, 2, 3, 4]) }), undefined);
    assert.equal(pointsOf({ width: 4_294_967_295, height: 4_294_967_295, data: points([1]) }), undefined);
    assert.equal(pointsOf({ width: 1, fields: [field('x', 5)], data: points([1]) }), undefined);
    assert.equal(pointsOf({ width: 1, step: 0, data: points([1]) }), undefined);
    assert.equal(pointsOf({ width: 1, fields: [field('x', 0, 99)], data: points([1]) }), undefined);
  });
});
