import assert from 'node:assert/strict';
import { fetchedBatches, type FetchedPartition } from '../../../src/sources/kafka/fetched-records.js';

type Batch = NonNullable<FetchedPartition['records']>[number];

const TRANSACTIONAL = 16;
const CONTROL = 32;
const [ABORT, COMMIT] = [0, 1];

function batch(firstOffset: number, count: number, attributes = 0, producerId = -1, type = 0): Batch {
  const key = Buffer.from([0, 0, 0, type]);
  return {
    ...{ firstOffset: BigInt(firstOffset), length: 0, partitionLeaderEpoch: 0, magic: 2, crc: 0, attributes },
    ...{ lastOffsetDelta: count - 1, firstTimestamp: 1_000n, maxTimestamp: 9_000n, producerEpoch: 0 },
    ...{ producerId: BigInt(producerId), firstSequence: 0 },
    records: Array.from({ length: count }, (_, i) => ({
      ...{ length: 0, attributes: 0, timestampDelta: BigInt(i), offsetDelta: i, key },
      ...{ value: Buffer.from(String(firstOffset + i)), headers: [] },
    })),
  };
}

function read(records: Batch[], aborted: { producerId: bigint; firstOffset: bigint }[] = []) {
  return fetchedBatches({
    ...{ partitionIndex: 0, errorCode: 0, highWatermark: 0n, lastStableOffset: 0n, logStartOffset: 0n },
    ...{ abortedTransactions: aborted, preferredReadReplica: -1, records },
  });
}

const offsetsOf = (batches: ReturnType<typeof read>): number[] =>
  batches.flatMap(({ records }) => records.map(({ offset }) => offset));

describe('Fetched records', () => {
  it('have their offsets and times', () => {
    const [first] = read([batch(5, 2)]);
    assert.equal(first?.lastOffset, 6);
    assert.deepEqual(
      first.records.map(({ offset, timestampMs }) => [offset, timestampMs]),
      [
        [5, 1_000n],
        [6, 1_001n],
      ],
    );
    // The topic takes the time of the broker.
    assert.equal(read([batch(5, 2, 8)])[0]?.records[0]?.timestampMs, 9_000n);
    assert.deepEqual(fetchedBatches({ ...emptyPartition }), []);
  });

  it('leave out aborted transactions and the marks of their ends', () => {
    const batches = read(
      [
        batch(0, 2, TRANSACTIONAL, 7),
        batch(2, 1, TRANSACTIONAL, 8),
        batch(3, 1, TRANSACTIONAL | CONTROL, 7, ABORT),
        batch(4, 1, TRANSACTIONAL | CONTROL, 8, COMMIT),
        batch(5, 1, TRANSACTIONAL, 7),
        batch(6, 1, TRANSACTIONAL | CONTROL, 7, COMMIT),
        batch(7, 1),
        batch(8, 1, TRANSACTIONAL, 8),
      ],
      [
        { producerId: 8n, firstOffset: 8n },
        { producerId: 7n, firstOffset: 0n },
      ],
    );
    assert.deepEqual(offsetsOf(batches), [2, 5, 7]);
    assert.deepEqual(batches.at(-1)?.lastOffset, 8);
  });
});

const emptyPartition: FetchedPartition = {
  ...{ partitionIndex: 0, errorCode: 0, highWatermark: 0n, lastStableOffset: 0n, logStartOffset: 0n },
  ...{ abortedTransactions: [], preferredReadReplica: -1 },
};
