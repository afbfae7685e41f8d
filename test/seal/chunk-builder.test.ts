import assert from 'node:assert/strict';
import { McapChunkBuilder, McapRecordBuilder } from '@mcap/core';
import fc from 'fast-check';
import { ChunkBuilder } from '../../src/seal/chunk-builder.js';

/** The same chunk by the library: its records, and its index with the offset of each channel's record. */
function byTheLibrary(build: (chunk: McapChunkBuilder) => void): {
  records: Uint8Array;
  bytes: Uint8Array;
  offsets: [number, number][];
  times: [bigint, bigint];
} {
  const chunk = new McapChunkBuilder({ useMessageIndex: true });
  build(chunk);
  const index = new McapRecordBuilder();
  const offsets: [number, number][] = [];
  let at = 0n;
  for (const one of chunk.indices) {
    offsets.push([one.channelId, Number(at)]);
    at += index.writeMessageIndex(one);
  }
  const times: [bigint, bigint] = [chunk.messageStartTime, chunk.messageEndTime];
  return { records: chunk.buffer, bytes: index.buffer, offsets, times };
}

const time = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const messages = fc.array(
  fc.record({
    channelId: fc.constantFrom(0, 1, 7, 65_535),
    sequence: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    logTime: time,
    publishTime: time,
    data: fc.uint8Array({ maxLength: 3000 }),
  }),
  { minLength: 1, maxLength: 400 },
);

describe('the builder of chunks', () => {
  it('writes the bytes that the library of MCAP writes, chunk after chunk', () => {
    const chunk = new ChunkBuilder();
    fc.assert(
      fc.property(messages, (given) => {
        chunk.reset();
        const schema = { id: 1, name: 'a/b', encoding: 'ros2msg', data: Buffer.from('uint8 x') };
        const channel = { id: 7, schemaId: 1, topic: '/x', messageEncoding: 'cdr', metadata: new Map() };
        const expected = byTheLibrary((library) => {
          library.addSchema(schema);
          for (const message of given) library.addMessage(message);
          library.addChannel(channel);
        });
        chunk.addSchema(schema);
        for (const { channelId, sequence, logTime, publishTime, data } of given) {
          chunk.addMessage(channelId, sequence, logTime, publishTime, data);
        }
        chunk.addChannel(channel);
        const { bytes, offsets } = chunk.indexes();
        assert.deepEqual(Buffer.from(chunk.records), Buffer.from(expected.records));
        // The library also has an index of a channel without messages.
        const withMessages = expected.offsets.filter(([id]) => given.some((one) => one.channelId === id));
        assert.deepEqual([...offsets], withMessages);
        assert.deepEqual(Buffer.from(bytes), Buffer.from(expected.bytes).subarray(0, bytes.byteLength));
        assert.deepEqual([chunk.startTime, chunk.endTime], expected.times);
        assert.equal(chunk.messages, given.length);
        assert.equal(chunk.byteLength, expected.records.byteLength);
      }),
      { numRuns: 100 },
    );
  });
});
