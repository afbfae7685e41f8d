import assert from 'node:assert/strict';
import { SampleSizes } from '../../../src/uplink/protocol/sample-bytes.js';

describe('The size of samples that are sent in full', () => {
  const fields = [{ path: 'twist.linear.x' }, { path: 'größe "1"' }, { path: 'p' }, { path: 'q' }];
  const time = 1_700_000_000_123_456_789n;
  const rows = [
    [1, -2.5, 0.1 + 0.2, 1e21],
    [NaN, Infinity, -0, 1e-7],
    [123_456, 0, -1e-300, 0.5],
  ];

  it('is that of the JSON object that they would be', () => {
    const sizes = new SampleSizes(fields);
    for (const row of rows) {
      const named = Object.fromEntries(fields.map(({ path }, i) => [path, row[i]]));
      const text = JSON.stringify({ time_ns: String(time), ...named });
      assert.equal(sizes.of(time, Float64Array.from(row)).json, Buffer.byteLength(text), text);
    }
  });

  it('is that of their part of a table', () => {
    const sizes = new SampleSizes(fields);
    const table = Float64Array.from(rows.flat());
    assert.deepEqual(sizes.of(time, table, 4, 4), sizes.of(time, Float64Array.from(rows[1] ?? [])));
    assert.equal(sizes.of(time, table, 4, 4).protobuf, 12 + 8 * 4);
  });
});
