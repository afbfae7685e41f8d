import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { catMessages } from '../../src/recordings/cat.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import type { Segment } from '../../src/recordings/segments.js';
import { mcapFixture } from '../support/mcap-fixtures.js';

/** The decoded values of a file, as `cat` prints them. */
async function valuesOf(name: string): Promise<unknown[]> {
  await using files = new FilePool(fs);
  const path = mcapFixture(name);
  const segment: Segment = { name: path, bytes: 0, readable: () => files.readable(path) };
  const lines: string[] = [];
  const report = await catMessages([segment], { filter: {}, write: (line) => void lines.push(line) });
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.undecoded, []);
  return lines.map((line) => (JSON.parse(line) as { data: unknown }).data);
}

describe('cat', () => {
  it('decodes a service event by the text of its .srv file, as rosbag2 stores it', async () => {
    assert.deepEqual(await valuesOf('service_event.mcap'), [
      {
        info: {
          event_type: 0,
          stamp: { sec: 1700000000, nanosec: 5 },
          client_gid: Buffer.alloc(16, 7).toString('base64'),
          sequence_number: '42',
        },
        request: [{ a: '2', b: '3' }],
        response: [],
      },
    ]);
  });

  it('decodes a type whose name another package has too', async () => {
    assert.deepEqual(await valuesOf('same_name.mcap'), [{ a: { data: 3 }, b: { value: -4 } }]);
  });

  it('decodes a message of constants only to an empty object', async () => {
    assert.deepEqual(await valuesOf('only_constants.mcap'), [{}]);
  });
});
