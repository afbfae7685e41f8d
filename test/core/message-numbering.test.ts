import assert from 'node:assert/strict';
import { kafkaMetadata, kafkaNumbering, kafkaPartition } from '../../src/core/kafka-identity.js';
import { messageNumbering } from '../../src/core/message-numbering.js';

const partition = { topic: 'fleet', topicId: '5f0c1d3e-0000-4000-8000-000000000001', partition: 3 };

describe('The numbering of a recorded message', () => {
  it('is the stream of JetStream or the partition of Kafka that it came from', () => {
    assert.equal(messageNumbering(kafkaMetadata(partition)), kafkaNumbering(partition));
    assert.equal(messageNumbering({ nats_stream: 'LOGS', nats_stream_created: 'T' }), 'nats:LOGS@T');
    assert.equal(messageNumbering({ nats_stream: 'LOGS' }), undefined);
    assert.equal(messageNumbering({}), undefined);
  });

  it('tells partitions, topics and topics of the same name apart', () => {
    const all = [
      {},
      { partition: 4 },
      { topic: 'other' },
      { topicId: '5f0c1d3e-0000-4000-8000-000000000002' },
    ];
    const names = all.map((over) => messageNumbering(kafkaMetadata({ ...partition, ...over })));
    assert.equal(new Set(names).size, all.length);
  });

  it('is absent if a part of the metadata is', () => {
    assert.deepEqual(kafkaPartition(kafkaMetadata(partition)), partition);
    for (const key of ['kafka_topic', 'kafka_topic_id', 'kafka_partition']) {
      const metadata = Object.fromEntries(
        Object.entries(kafkaMetadata(partition)).filter(([name]) => name !== key),
      );
      assert.equal(kafkaPartition(metadata), undefined, key);
    }
  });
});
