import assert from 'node:assert/strict';
import { schemaIdOf } from '../../../src/kafka/message-form.js';
import { Definitions, formOf, type RecordForm } from '../../../src/sources/kafka/own-form.js';

const message = {
  'holdfast-kind': 'message/1',
  'holdfast-robot': 'r1',
  'holdfast-topic': '/r1/imu',
  'holdfast-type': 'sensor_msgs/msg/Imu',
  'holdfast-encoding': 'cdr',
  'holdfast-schema-id': '0123456789abcdef',
  'holdfast-log-time': '1795000000000000001',
  'holdfast-publish-time': '1795000000000000000',
};

function read(headers: Readonly<Record<string, string>>, value = ''): RecordForm {
  const pairs = Object.entries(headers).map(
    ([name, text]) => [Buffer.from(name), Buffer.from(text)] as const,
  );
  const record = { offset: 0, timestampMs: 0n, key: Buffer.alloc(0), value: Buffer.from(value) };
  return formOf({ ...record, headers: pairs });
}

function reasonOf(form: RecordForm): string {
  assert.ok(form.kind === 'fault');
  return form.reason;
}

describe('The form of messages in Kafka', () => {
  it('is read from the headers', () => {
    assert.deepEqual(read({ ...message, 'holdfast-vin': '1ZZZ5A3T0RF000001' }), {
      kind: 'message',
      robot: 'r1',
      vin: '1ZZZ5A3T0RF000001',
      topic: '/r1/imu',
      type: 'sensor_msgs/msg/Imu',
      encoding: 'cdr',
      schemaId: '0123456789abcdef',
      logTime: 1_795_000_000_000_000_001n,
      publishTime: 1_795_000_000_000_000_000n,
    });
    assert.deepEqual(read({ traceparent: '00-1' }), { kind: 'foreign' });
  });

  it('is refused with the header that is wrong', () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{ 'holdfast-kind': 'message/2' }, /holdfast-kind is "message\/2", not message\/1 or schema\/1/],
      [{ 'holdfast-robot': '' }, /holdfast-robot is missing/],
      [{ 'holdfast-robot': 'r'.repeat(201) }, /holdfast-robot has more than 200 characters/],
      [{ 'holdfast-topic': '' }, /holdfast-topic is missing/],
      [{ 'holdfast-encoding': '' }, /holdfast-encoding is missing/],
      [{ 'holdfast-log-time': 'now' }, /holdfast-log-time is "now", not nanoseconds/],
      [{ 'holdfast-publish-time': '9999999999999999999' }, /holdfast-publish-time is "9{19}"/],
    ];
    for (const [wrong, expected] of cases) assert.match(reasonOf(read({ ...message, ...wrong })), expected);
  });

  it('gives a definition only under the id of its text', () => {
    const data = Buffer.from('float64 x\n');
    const id = schemaIdOf({ name: 'a/msg/B', encoding: 'ros2msg', data });
    const headers = {
      'holdfast-kind': 'schema/1',
      'holdfast-type': 'a/msg/B',
      'holdfast-schema-encoding': 'ros2msg',
      'holdfast-schema-id': id,
    };
    const form = read(headers, 'float64 x\n');
    assert.ok(form.kind === 'definition');
    const definitions = new Definitions();
    definitions.add(form);
    assert.equal(definitions.get(id)?.name, 'a/msg/B');
    assert.match(reasonOf(read(headers, 'float64 y\n')), /holdfast-schema-id is not the digest/);
  });

  it('remembers the definitions that were seen last', () => {
    const definitions = new Definitions();
    const add = (schemaId: string): void =>
      definitions.add({
        kind: 'definition',
        schemaId,
        schema: { name: schemaId, encoding: '', data: Buffer.alloc(0) },
      });
    for (let i = 0; i < 1_000; i++) add(`a${i}`);
    add('a0');
    add('new');
    assert.deepEqual(
      [definitions.get('a0'), definitions.get('a1'), definitions.get('new')].map((one) => one?.name),
      ['a0', undefined, 'new'],
    );
  });
});
