import assert from 'node:assert/strict';
import { PartitionOffsets } from '../../../src/sources/kafka/partition-offsets.js';

describe('The offsets of a partition', () => {
  const taken = (...numbers: number[]): PartitionOffsets => {
    const offsets = new PartitionOffsets();
    offsets.begin(numbers[0] ?? 0);
    for (const one of numbers) offsets.take(one, BigInt(one));
    return offsets;
  };

  it('are settled up to the first message that is not durable', () => {
    const offsets = taken(3, 4, 7);
    assert.deepEqual([offsets.settled, offsets.next, offsets.oldestAt], [3, 8, 3n]);
    offsets.ack(4);
    assert.equal(offsets.settled, 3);
    offsets.ack(3);
    assert.deepEqual([offsets.settled, offsets.pending], [7, 1]);
    offsets.ack(7);
    assert.deepEqual([offsets.settled, offsets.oldestAt], [8, undefined]);
    // The end of a transaction has an offset and no message.
    offsets.passed(9);
    assert.equal(offsets.settled, 10);
  });

  it('count a message once, however often it is acknowledged', () => {
    let calls = 0;
    const offsets = new PartitionOffsets(() => calls++);
    offsets.take(0, 5n);
    assert.deepEqual([offsets.ack(0), offsets.ack(0), offsets.ack(9)], [5n, undefined, undefined]);
    assert.equal(calls, 1);
  });

  it('begin again without forgetting what an earlier acknowledgement means', () => {
    const offsets = taken(0, 1, 2);
    offsets.begin(1);
    assert.deepEqual([offsets.settled, offsets.next], [1, 1]);
    // It was durable before it came again, and the recorder acknowledges it once more.
    offsets.ack(1);
    assert.deepEqual([offsets.take(1, 9n), offsets.take(2, 9n), offsets.take(3, 9n)], [true, true, false]);
    assert.equal(offsets.settled, 1);
    for (const one of [1, 2, 3]) offsets.ack(one);
    assert.equal(offsets.settled, 4);
  });
});
