import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { silentLogger } from '../../../src/core/logger.js';
import { MessagesDeriver, type MessagesDeriverOptions } from '../../../src/jobs/delivery/messages-deriver.js';
import { loadKafka } from '../../../src/kafka/kafka-library.js';
import { KafkaDelivery } from '../../../src/stores/kafka/kafka-delivery.js';
import { parseKafkaSink } from '../../../src/stores/kafka/kafka-options.js';
import type { Sink } from '../../../src/sync/sync-group.js';
import { eventually } from '../../../src/testing/waiting.js';
import { drainGroup, openGroup } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { KafkaBroker, type StoredRecord } from '../../support/kafka.js';
import { perhaps } from '../../support/perhaps.js';
import { deliverySink, sealStates, statePayload, statesOf } from './delivery-world.js';

describe('the Kafka sink', function () {
  this.timeout(180_000);
  let broker: KafkaBroker;
  let world: SyncWorld;
  let topic: string;
  let count = 0;

  before(async function () {
    broker = await KafkaBroker.start(this);
  });
  after(() => perhaps(broker)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    world = await SyncWorld.create();
    topic = `fleet-${++count}`;
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const sinkTo = async (over: Partial<MessagesDeriverOptions> = {}): Promise<Sink> => {
    const options = parseKafkaSink(`//${broker.address}/${topic}`, new Map(), (value, allowed) =>
      assert.fail(`${value}: ${allowed}`),
    );
    const delivery = new KafkaDelivery(options, { fileSystem: fs }, await loadKafka());
    const deriver = new MessagesDeriver(
      fs,
      { key: 'robot', maxBytes: options.maxBytes, ...over },
      silentLogger,
    );
    return deliverySink(world, delivery, deriver, { name: 'kafka', kind: 'kafka' });
  };
  const drain = async (sink: Sink): Promise<void> => {
    const { complete } = await drainGroup(world, [sink]);
    await sink.store[Symbol.asyncDispose]();
    assert.ok(complete);
  };
  const messagesOf = (records: readonly StoredRecord[]): StoredRecord[] =>
    records.filter(({ headers }) => headers['holdfast-kind'] === 'message/1');

  it('holds every message of a segment in its order, under the key of its robot', async () => {
    await broker.createTopic(topic, 4);
    const states = statesOf(500);
    const { name } = await sealStates(world, states, { robot: 'r1', vin: '1ZZZ5A3T0RF000001' });
    await drain(await sinkTo());
    const records = await broker.records(topic, 501);
    const [schema] = records;
    assert.equal(schema?.headers['holdfast-kind'], 'schema/1');
    assert.equal(schema.value.toString(), 'float64 x\nfloat64 v\n');
    assert.deepEqual([...new Set(records.map(({ key, partition }) => `${key} ${partition}`))].length, 1);
    const messages = messagesOf(records);
    assert.deepEqual(
      messages.map(({ value, headers, timestampMs }) => [
        value.toString('hex'),
        ...[headers['holdfast-log-time'], headers['holdfast-number'], timestampMs],
      ]),
      states.map(({ x, v, timeNs }, i) => [
        Buffer.from(statePayload(x, v)).toString('hex'),
        ...[String(timeNs), String(i), Number(timeNs / 1_000_000n)],
      ]),
    );
    assert.deepEqual(
      ['robot', 'vin', 'topic', 'type', 'encoding', 'segment'].map(
        (one) => messages[0]?.headers[`holdfast-${one}`],
      ),
      ['r1', '1ZZZ5A3T0RF000001', '/r1/state', 'demo_msgs/msg/State', 'cdr', name],
    );
    assert.equal(messages[0]?.headers['holdfast-schema-id'], schema.headers['holdfast-schema-id']);
  });

  it('repeats the definition in each batch, and leaves out what is larger than a batch', async () => {
    await broker.createTopic(topic, 1);
    const huge = { timeNs: 5n, x: 0, v: 0, bytes: new Uint8Array(20_000) };
    await sealStates(world, [huge, ...statesOf(100)]);
    await drain(await sinkTo({ maxBytes: 10_000, key: 'vin' }));
    const records = await broker.records(topic, 103);
    const batches = new Set(records.map(({ headers }) => headers['holdfast-batch']));
    assert.ok(batches.size > 2, `${batches.size} batches`);
    for (const batch of batches) {
      const [first] = records.filter(({ headers }) => headers['holdfast-batch'] === batch);
      assert.equal(first?.headers['holdfast-kind'], 'schema/1', `batch ${batch}`);
    }
    assert.equal(messagesOf(records).length, 100);
    assert.equal(records[0]?.key, 'r1', 'without a VIN, the robot is the key');
  });

  it('waits for a broker that is down, and loses nothing', async () => {
    await broker.createTopic(topic, 2);
    await sealStates(world, statesOf(30));
    await broker.kill();
    const sink = await sinkTo();
    const group = await openGroup(world, [sink]);
    try {
      const drained = group.drain(AbortSignal.timeout(120_000));
      await eventually(() => group.status().link === 'offline', 'the end of the link');
      await broker.run();
      assert.ok((await drained).complete);
    } finally {
      await group.close();
      await sink.store[Symbol.asyncDispose]();
    }
    assert.equal(messagesOf(await broker.records(topic, 31)).length, 30);
  });

  it('names a topic that does not exist, and parks what the broker finds too large', async () => {
    await sealStates(world, statesOf(30));
    const missing = await sinkTo();
    const group = await openGroup(world, [missing]);
    const end = new AbortController();
    const drained = group.drain(end.signal);
    await eventually(() => group.status().link === 'offline', 'a refusal');
    assert.equal(group.status().segments.parked, 0);
    end.abort();
    await drained;
    await group.close();
    await missing.store[Symbol.asyncDispose]();
    await broker.createTopic(topic, 1, { 'max.message.bytes': '100' });
    const sink = await sinkTo();
    const { segments, alarms } = await drainGroup(world, [sink]);
    await sink.store[Symbol.asyncDispose]();
    assert.equal(segments.parked, 1);
    assert.match(alarms.map(({ code }) => code).join(), /STORE_REJECTED/);
  });
});
