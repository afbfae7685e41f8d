import assert from 'node:assert/strict';
import { schemaIdOf } from '../../../src/kafka/message-form.js';
import { eventually } from '../../../src/testing/waiting.js';
import { gapsOf, ScriptedSource, textsOf } from './scripted-source.js';

const data = Buffer.from('float64 x\n');
const schemaId = schemaIdOf({ name: 'a/msg/B', encoding: 'ros2msg', data });
const own = {
  'holdfast-kind': 'message/1',
  'holdfast-robot': 'r1',
  'holdfast-topic': '/r1/state',
  'holdfast-type': 'a/msg/B',
  'holdfast-encoding': 'cdr',
  'holdfast-schema-id': schemaId,
  'holdfast-log-time': '1795000000000000001',
  'holdfast-publish-time': '1795000000000000000',
};
const definition = {
  'holdfast-kind': 'schema/1',
  'holdfast-type': 'a/msg/B',
  'holdfast-schema-encoding': 'ros2msg',
  'holdfast-schema-id': schemaId,
};

describe('The intake of records from Kafka', () => {
  let world: ScriptedSource;
  beforeEach(() => (world = new ScriptedSource()));
  afterEach(() => world.end());

  it('gives a message of a sink its robot, times and definition', async () => {
    world.kafka.produce('t', [
      { value: data, headers: definition },
      { value: 'x', headers: { ...own, 'holdfast-vin': '1ZZZ5A3T0RF000001' } },
    ]);
    const probe = await world.open();
    await eventually(() => probe.messages.length === 1);
    const [message] = probe.messages;
    assert.deepEqual(
      [message?.receivedAt, message?.publishedAt, message?.sourceSequence],
      [1_795_000_000_000_000_001n, 1_795_000_000_000_000_000n, 1],
    );
    const { channel } = message ?? {};
    assert.deepEqual(
      [channel?.robot, channel?.topic, channel?.encoding, channel?.schema.name, channel?.metadata['vin']],
      ['r1', '/r1/state', 'cdr', 'a/msg/B', '1ZZZ5A3T0RF000001'],
    );
    assert.equal(Buffer.from(channel?.schema.data ?? []).toString(), 'float64 x\n');
    await world.passUntil(() => world.kafka.committed.get('t/0') === 2, 'the commit');
  });

  it('records a message whose definition is missing, and says so once', async () => {
    world.kafka.produce('t', [
      { value: 'x', headers: own },
      { value: 'y', headers: own },
    ]);
    const probe = await world.open();
    await eventually(() => probe.messages.length === 2);
    assert.equal(probe.messages[0]?.channel.schema.data.byteLength, 0);
    const warnings = world.lines.filter(({ event }) => event === 'recorded without a schema');
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]?.fields?.['error']), new RegExp(schemaId));
  });

  it('names the robot by the key if the address says so, and takes the time of the producer', async () => {
    world.kafka.produce('t', [
      { key: 'robot_7', value: 'a', timestampMs: 1_795_000_000_123 },
      { key: 'r'.repeat(201), value: 'b' },
      { value: 'c' },
    ]);
    const probe = await world.open('&robot_from=key&encoding=cbor');
    await eventually(() => probe.messages.length === 3);
    assert.deepEqual(
      probe.messages.map(({ channel }) => [channel.robot, channel.topic, channel.encoding]),
      [
        ['robot_7', 't', 'cbor'],
        ['robot1', 't', 'cbor'],
        ['robot1', 't', 'cbor'],
      ],
    );
    const [first, second] = probe.messages;
    assert.equal(first?.publishedAt, 1_795_000_000_123_000_000n);
    assert.equal(second?.publishedAt, second?.receivedAt);
  });

  it('makes gaps of records that it cannot record, and continues', async () => {
    world.kafka.produce('t', [
      { value: 'a' },
      { value: Buffer.alloc(1024 * 1024 + 1) },
      { value: 'x', headers: { ...own, 'holdfast-robot': '' } },
      { value: 'b' },
    ]);
    const probe = await world.open('&max_message_mb=1');
    await eventually(() => probe.messages.length === 2);
    assert.deepEqual(textsOf(probe), ['a', 'b']);
    assert.deepEqual(
      gapsOf(probe).map(({ reason, robot, detail }) => [reason, robot, detail]),
      [
        ['message_too_large', 'robot1', 'offset 1 of partition 0: it has 1048577 bytes'],
        ['invalid_message', 'robot1', 'offset 2 of partition 0: header holdfast-robot is missing'],
      ],
    );
    await world.passUntil(() => world.kafka.committed.get('t/0') === 4, 'the commit');
  });

  it('needs no commit of messages that nobody wants, until somebody does', async () => {
    let wanted = false;
    let changed = (): void => undefined;
    world.produce('a');
    const probe = await world.open('', {
      wanted: () => wanted,
      onWantedChange: (listener) => {
        changed = listener;
        return () => undefined;
      },
    });
    await world.passUntil(() => world.kafka.committed.get('t/0') === 1, 'the commit');
    assert.deepEqual(textsOf(probe), []);
    wanted = true;
    changed();
    world.produce('b');
    await eventually(() => textsOf(probe).length === 1);
    assert.deepEqual(textsOf(probe), ['b']);
  });
});
