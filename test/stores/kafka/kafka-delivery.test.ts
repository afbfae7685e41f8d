import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { encodeMessageBatch } from '../../../src/core/message-batch.js';
import type { KafkaLibrary } from '../../../src/kafka/kafka-library.js';
import { KafkaDelivery } from '../../../src/stores/kafka/kafka-delivery.js';
import { parseKafkaSink } from '../../../src/stores/kafka/kafka-options.js';

/** A client that does what a test says; the tests against a broker are in test/jobs/delivery. */
class ScriptedProducer {
  static opened = 0;
  static closed = 0;
  static sent: { readonly acks: number; readonly messages: readonly { readonly key?: Buffer }[] }[] = [];
  static fault: Error | undefined;

  constructor() {
    ScriptedProducer.opened++;
  }

  metadata(): Promise<void> {
    return this.#answer();
  }

  async send(options: (typeof ScriptedProducer.sent)[number]): Promise<void> {
    await this.#answer();
    ScriptedProducer.sent.push(options);
  }

  close(): Promise<void> {
    ScriptedProducer.closed++;
    return Promise.resolve();
  }

  #answer(): Promise<void> {
    return ScriptedProducer.fault === undefined ? Promise.resolve() : Promise.reject(ScriptedProducer.fault);
  }
}

const batch = encodeMessageBatch([
  { key: 'r1', value: new Uint8Array([1]), headers: { a: 'b' }, timestampMs: 5 },
  { key: '', value: new Uint8Array([2]), headers: {}, timestampMs: 6 },
]);

describe('the delivery of batches to Kafka', () => {
  let delivery: KafkaDelivery;

  beforeEach(() => {
    Object.assign(ScriptedProducer, { opened: 0, closed: 0, sent: [], fault: undefined });
    const options = parseKafkaSink('//host/fleet', new Map(), (message) => assert.fail(message));
    const library = { Producer: ScriptedProducer } as unknown as KafkaLibrary;
    delivery = new KafkaDelivery(options, { fileSystem: fs }, library);
  });
  afterEach(() => delivery[Symbol.asyncDispose]());

  it('waits for all replicas, and keeps one connection', async () => {
    await delivery.probe();
    await delivery.deliver(batch);
    assert.equal(ScriptedProducer.opened, 1);
    assert.deepEqual(
      ScriptedProducer.sent.map(({ acks, messages }) => [acks, messages.map(({ key }) => key?.toString())]),
      [[-1, ['r1', undefined]]],
    );
  });

  it('connects again after a failure', async () => {
    ScriptedProducer.fault = new Error('no leader');
    await assert.rejects(delivery.deliver(batch), {
      code: 'STORE_OFFLINE',
      message: /kafka:\/\/host:9092\/fleet: no leader/,
    });
    ScriptedProducer.fault = undefined;
    await delivery.deliver(batch);
    assert.deepEqual(
      [ScriptedProducer.opened, ScriptedProducer.closed, ScriptedProducer.sent.length],
      [2, 1, 1],
    );
  });

  it('ends with the reason of the signal', async () => {
    const reason = new Error('enough');
    await assert.rejects(delivery.probe({ signal: AbortSignal.abort(reason) }), reason);
  });
});
