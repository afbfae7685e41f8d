import type { Consumer, RecordsBatch } from '@platformatic/kafka';

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;
export type FetchedPartition = FetchResponse['responses'][number]['partitions'][number];

/** One record of a partition. */
export interface FetchedRecord {
  readonly offset: number;
  /** Of its producer or its broker, as the topic says. Milliseconds since the Unix epoch; negative: none. */
  readonly timestampMs: bigint;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: readonly (readonly [Buffer, Buffer])[];
}

/** Records that a producer sent together. */
export interface FetchedBatch {
  readonly lastOffset: number;
  /** Empty if its transaction was aborted, or if it only marks the end of one. */
  readonly records: readonly FetchedRecord[];
}

// https://kafka.apache.org/documentation/#recordbatch
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const ABORT_MARKER = 0;

/**
 * The records of a partition that a consumer with isolation level `read_committed` may see. A broker sends whole batches,
 * so the first one may begin before the requested offset.
 */
export function fetchedBatches({ records, abortedTransactions }: FetchedPartition): FetchedBatch[] {
  const aborted = [...abortedTransactions].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const producers = new Set<bigint>();
  return (records ?? []).map((batch) => {
    const lastOffset = Number(batch.firstOffset) + batch.lastOffsetDelta;
    while (aborted[0] !== undefined && Number(aborted[0].firstOffset) <= lastOffset) {
      producers.add(aborted[0].producerId);
      aborted.shift();
    }
    const { attributes, producerId } = batch;
    if ((attributes & CONTROL) !== 0) {
      const key = batch.records[0]?.key;
      if (key !== undefined && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER)
        producers.delete(producerId);
      return { lastOffset, records: [] };
    }
    const isAborted = (attributes & TRANSACTIONAL) !== 0 && producers.has(producerId);
    return { lastOffset, records: isAborted ? [] : batch.records.map((one) => recordOf(batch, one)) };
  });
}

function recordOf(batch: RecordsBatch, record: RecordsBatch['records'][number]): FetchedRecord {
  const { attributes, firstOffset, firstTimestamp, maxTimestamp } = batch;
  const { key, value, headers, offsetDelta, timestampDelta } = record;
  const timestampMs = (attributes & LOG_APPEND_TIME) !== 0 ? maxTimestamp : firstTimestamp + timestampDelta;
  return { offset: Number(firstOffset) + offsetDelta, timestampMs, key, value, headers };
}
