import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import type { Gap } from '../../../src/core/gap.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Message } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { MessagesDeriver } from '../../../src/jobs/delivery/messages-deriver.js';
import { loadKafka } from '../../../src/kafka/kafka-library.js';
import { openSource } from '../../../src/sources/open-source.js';
import { KafkaDelivery } from '../../../src/stores/kafka/kafka-delivery.js';
import { parseKafkaSink } from '../../../src/stores/kafka/kafka-options.js';
import { ENOUGH, sourceContract, type SourceFixture } from '../../../src/testing/source-contract.js';
import {
  Probe,
  recordingLogger,
  type LogLine,
  type ProbeOptions,
} from '../../../src/testing/source-probe.js';
import { eventually } from '../../../src/testing/waiting.js';
import {
  deliverySink,
  sealStates,
  statePayload,
  statesOf,
  FIRST_NS,
} from '../../jobs/delivery/delivery-world.js';
import { KafkaBroker } from '../../support/kafka.js';
import { perhaps } from '../../support/perhaps.js';
import { drainGroup } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';

const PATIENCE_MS = 60_000;
let count = 0;

describe('The Kafka source', function () {
  this.timeout(180_000);
  let broker: KafkaBroker;
  const probes: Probe[] = [];

  before(async function () {
    broker = await KafkaBroker.start(this);
  });
  afterEach(() => probes.splice(0).forEach((probe) => probe.unsubscribe()));
  after(() => perhaps(broker)?.[Symbol.asyncDispose]());

  /** Acknowledges every message as a recorder whose commits take no time. */
  const committing: ProbeOptions = {
    robotOf: () => 'robot1',
    onEvent: (one) => {
      if (one.kind === 'message') one.ack?.();
    },
  };
  const open = (topics: string, group: string, options = ''): Promise<Source> =>
    openSource(`kafka://${broker.address}/${topics}?group=${group}${options}`, { fs });
  const probe = async (
    topics: string,
    group: string,
    options = '',
    more: ProbeOptions = committing,
  ): Promise<Probe> => {
    const made = new Probe(await open(topics, group, options), { robotOf: () => 'robot1', ...more });
    probes.push(made);
    return made;
  };
  const newTopic = async (partitions = 1, configs: Record<string, string> = {}): Promise<string> => {
    const topic = `topic-${++count}`;
    await broker.createTopic(topic, partitions, configs);
    return topic;
  };
  const until = (check: () => boolean | Promise<boolean>, what: string): Promise<true> =>
    eventually(check, what, PATIENCE_MS);
  const numbers = (from: number, to: number): { value: string }[] =>
    Array.from({ length: to - from }, (_, i) => ({ value: `{"n":${from + i}}` }));
  const textOf = ({ data }: Message): string => Buffer.from(data).toString();
  const textsOf = (from: number, to: number): string[] => numbers(from, to).map(({ value }) => value);
  const gapsOf = ({ events }: Probe): Omit<Gap, 'id'>[] =>
    events.flatMap((one) => (one.kind === 'gap' ? [one.gap] : []));
  const statesSeen = ({ events }: Probe): string[] =>
    events.flatMap((one) => (one.kind === 'state' ? [`${one.state} ${one.detail ?? ''}`] : []));

  describe('against the contract', () => {
    before(async () => {
      for (const topic of ['contract-a', 'contract-b']) {
        await broker.createTopic(topic, 1);
        await broker.produce(topic, numbers(0, ENOUGH));
      }
      await broker.createTopic('bad', 1);
      const headers = { 'holdfast-kind': 'message/1', 'holdfast-robot': 'r' };
      await broker.produce('bad', [{ value: '{}' }, { value: 'x', headers }, { value: '{}' }]);
    });
    const fixture = async (topics: string): Promise<SourceFixture> => ({
      source: await open(topics, `contract-${++count}`),
    });
    sourceContract('kafka:', {
      healthy: () => fixture('contract-a,contract-b'),
      damaged: () => fixture('bad'),
    });
  });

  it('records the messages of any topic unchanged, under the name of the topic', async () => {
    const topic = await newTopic();
    const records = [
      { key: 'robot_7', value: '{"a":1}', timestampMs: 1_795_000_000_000 },
      { value: Buffer.from([0, 255, 1]), timestampMs: 1_795_000_000_001 },
      { value: '' },
    ];
    await broker.produce(topic, records);
    const { messages } = await readAll(topic, 3, '&robot_from=key&encoding=cbor');
    const { channel, publishedAt, sourceSequence, receivedAt } = present(messages[0]);
    const { topic: name, encoding, robot, schema } = channel;
    assert.deepEqual(
      [name, encoding, robot, schema.name, publishedAt, sourceSequence],
      [topic, 'cbor', 'robot_7', '', 1_795_000_000_000_000_000n, 0],
    );
    assert.ok(receivedAt < BigInt(Date.now() + 60_000) * 1_000_000n);
    assert.deepEqual(Buffer.from(present(messages[1]).data), Buffer.from([0, 255, 1]));
    assert.equal(present(messages[1]).channel.robot, 'robot1', 'without a key');
    assert.equal(present(messages[2]).data.byteLength, 0);
    assert.match(channel.numberedIn ?? '', new RegExp(`^kafka:${topic}@[0-9a-f-]{36}/0$`));
    assert.deepEqual([channel.metadata['kafka_topic'], channel.metadata['kafka_partition']], [topic, '0']);
  });

  async function readAll(topic: string, expected: number, options = ''): Promise<Probe> {
    const made = await probe(topic, `group-${++count}`, options);
    await until(() => made.messages.length >= expected, `${expected} messages of ${topic}`);
    return made;
  }

  it('gives back a recording that the sink has sent: each message with its robot, type and times', async () => {
    const topic = await newTopic(3);
    await using world = await SyncWorld.create();
    const states = [...statesOf(400), ...statesOf(50, '/r1/other', FIRST_NS + 1n)];
    await sealStates(world, states, { robot: 'r1', vin: '1ZZZ5A3T0RF000001' });
    const second = statesOf(300, '/r2/state');
    await sealStates(world, second, { robot: 'r2' });
    await send(world, topic, 20_000);
    const { messages } = await readAll(topic, 750);
    const seen = messages.map(({ channel, data, receivedAt }) =>
      [channel.robot, channel.topic, receivedAt, Buffer.from(data).toString('hex')].join(' '),
    );
    const sent = [
      ...states.map((one) => ({ robot: 'r1', ...one })),
      ...second.map((one) => ({ robot: 'r2', ...one })),
    ];
    assert.deepEqual(
      seen.sort(),
      sent
        .map(({ robot, topic: name, timeNs, x, v }) =>
          [robot, name, timeNs, Buffer.from(statePayload(x, v)).toString('hex')].join(' '),
        )
        .sort(),
    );
    const { channel, publishedAt, receivedAt } = present(messages.find((one) => one.channel.robot === 'r1'));
    assert.equal(publishedAt, receivedAt);
    assert.deepEqual(
      [channel.encoding, channel.schema.name, channel.schema.encoding, channel.metadata['vin']],
      ['cdr', 'demo_msgs/msg/State', 'ros2msg', '1ZZZ5A3T0RF000001'],
    );
    assert.equal(Buffer.from(channel.schema.data).toString(), 'float64 x\nfloat64 v\n');
  });

  async function send(world: SyncWorld, topic: string, maxBytes: number): Promise<void> {
    const options = parseKafkaSink(`//${broker.address}/${topic}`, new Map(), (value, allowed) =>
      assert.fail(`${value}: ${allowed}`),
    );
    const delivery = new KafkaDelivery(options, { fileSystem: fs }, await loadKafka());
    const deriver = new MessagesDeriver(fs, { key: 'robot', maxBytes }, silentLogger);
    const sink = deliverySink(world, delivery, deriver, { name: 'kafka', kind: 'kafka' });
    const { complete } = await drainGroup(world, [sink]);
    await sink.store[Symbol.asyncDispose]();
    assert.ok(complete);
  }

  it('knows the definition when it continues in the middle of a batch', async () => {
    const topic = await newTopic();
    await using world = await SyncWorld.create();
    await sealStates(world, statesOf(100));
    await send(world, topic, 1_000_000);
    const group = `group-${++count}`;
    const first = await probe(topic, group, '', {
      onEvent: (one, { messages }) => {
        if (one.kind === 'message' && messages.length <= 40) one.ack?.();
      },
    });
    await until(async () => (await broker.committed(group, topic)) === 41, 'an offset in the middle');
    first.unsubscribe();
    const lines: LogLine[] = [];
    const again = await probe(topic, group, '', { ...committing, logger: recordingLogger(lines) });
    await until(() => again.messages.length === 60, 'the other messages');
    const types = new Set(again.messages.map(({ channel }) => Buffer.from(channel.schema.data).toString()));
    assert.deepEqual([...types], ['float64 x\nfloat64 v\n']);
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn'),
      [],
    );
  });

  it('stores the offset only of what is durable, also after a request to end', async () => {
    const topic = await newTopic();
    await broker.produce(topic, numbers(0, 4));
    const group = `group-${++count}`;
    const made = await probe(topic, group, '', {});
    await until(() => made.messages.length === 4, 'four messages');
    await until(async () => (await broker.committed(group, topic)) === 0, 'the start of the group');
    // Only what has no gap before it counts.
    for (const index of [0, 2]) made.messages[index]?.ack?.();
    await until(async () => (await broker.committed(group, topic)) === 1, 'the first one');
    made.abort();
    await made.end();
    assert.equal(await broker.committed(group, topic), 1);
    // The last commit comes after the source has ended.
    for (const index of [1, 3]) made.messages[index]?.ack?.();
    await until(async () => (await broker.committed(group, topic)) === 4, 'the last ones');
  });

  it('starts a new group at the end with from=latest, and keeps that place', async () => {
    const topic = await newTopic();
    await broker.produce(topic, numbers(0, 5));
    const group = `group-${++count}`;
    const first = await probe(topic, group, '&from=latest');
    await until(async () => (await broker.committed(group, topic)) === 5, 'the place');
    first.unsubscribe();
    await broker.produce(topic, numbers(5, 8));
    const again = await probe(topic, group, '&from=latest');
    await until(() => again.messages.length >= 3, 'what came meanwhile');
    assert.deepEqual(again.messages.map(textOf), textsOf(5, 8));
  });

  it('fetches again what the recorder did not take', async () => {
    const topic = await newTopic();
    await broker.produce(topic, numbers(0, 3));
    const group = `group-${++count}`;
    const first = await probe(topic, group, '', {});
    await until(() => first.messages.length === 3, 'three messages');
    first.messages[0]?.ack?.();
    await until(async () => (await broker.committed(group, topic)) === 1, 'one');
    first.unsubscribe();
    const again = await probe(topic, group);
    await until(() => again.messages.length === 2, 'the rest');
    assert.deepEqual(again.messages.map(textOf), textsOf(1, 3));
  });

  it('shares the partitions with the other members of its group', async () => {
    const topic = await newTopic(4);
    const group = `group-${++count}`;
    const [one, other] = [await probe(topic, group), await probe(topic, group)];
    const seen = (): string[] => [...one.messages, ...other.messages].map(textOf);
    let sent = 0;
    await until(async () => {
      for (const partition of [0, 1, 2, 3]) await broker.produce(topic, numbers(sent, ++sent), partition);
      return one.messages.length > 0 && other.messages.length > 0;
    }, 'messages for both');
    await until(() => new Set(seen()).size === sent, 'every message');
    one.abort();
    await one.end();
    for (const partition of [0, 1, 2, 3]) await broker.produce(topic, numbers(sent, ++sent), partition);
    await until(() => new Set(seen()).size === sent, 'the messages after one has left');
  });

  it('makes a gap of what the cluster deleted before it was read', async () => {
    const topic = await newTopic();
    await broker.produce(topic, numbers(0, 10));
    const group = `group-${++count}`;
    const first = await probe(topic, group, '', {
      onEvent: (one, { messages }) => {
        if (one.kind === 'message' && messages.length <= 2) one.ack?.();
      },
    });
    await until(async () => (await broker.committed(group, topic)) === 2, 'two');
    first.unsubscribe();
    await broker.deleteRecords(topic, 6);
    const again = await probe(topic, group);
    await until(() => again.messages.length === 4, 'what is left');
    const [gap] = gapsOf(again);
    assert.deepEqual(
      [gap?.reason, gap?.robot, gap?.count, gap?.firstSourceSequence, gap?.lastSourceSequence],
      ['missed_while_down', 'robot1', 4, 2, 5],
    );
  });

  it('says what it waits for, and continues when the topic is there', async () => {
    const topic = `topic-${++count}`;
    const made = await probe(topic, `group-${++count}`);
    await until(() => statesSeen(made).some((one) => one.startsWith('waiting ')), 'waiting');
    assert.match(statesSeen(made).join('\n'), new RegExp(`${broker.address}/${topic}: .*topic`, 's'));
    await broker.createTopic(topic, 1);
    await broker.produce(topic, numbers(0, 2));
    await until(() => made.messages.length === 2, 'the messages');
  });

  it('continues after the broker was killed, and misses nothing', async () => {
    const topic = await newTopic(2);
    const group = `group-${++count}`;
    await broker.produce(topic, numbers(0, 500));
    const made = await probe(topic, group);
    await until(() => made.messages.length === 500, 'the first messages');
    await broker.kill();
    await until(() => statesSeen(made).some((one) => one.startsWith('waiting ')), 'waiting');
    await broker.run();
    await broker.produce(topic, numbers(500, 800), 1);
    await until(() => new Set(made.messages.map(textOf)).size === 800, 'every message');
    await until(async () => (await broker.committed(group, topic, 1)) === 300, 'the offset');
  });
});
