import assert from 'node:assert/strict';
import {
  describeKafka,
  parseKafkaSink,
  type KafkaSinkOptions,
} from '../../../src/stores/kafka/kafka-options.js';

function parse(
  address: string,
  options: Record<string, string> = {},
): { options: KafkaSinkOptions; faults: string } {
  const faults: string[] = [];
  const parsed = parseKafkaSink(address, new Map(Object.entries(options)), (value, allowed) =>
    faults.push(`${value}: ${allowed}`),
  );
  return { options: parsed, faults: faults.join('\n') };
}

describe('the options of a Kafka sink', () => {
  it('name brokers, topic, key and login', () => {
    const { options, faults } = parse('//a,[::1]:9093/fleet', {
      ...{ key: 'vin', compression: 'none', max_bytes: '5000000', ca: '/ca.pem' },
      ...{ user: 'sync', mechanism: 'plain', password_file: '/password' },
    });
    assert.equal(faults, '');
    assert.deepEqual(options, {
      ...{
        brokers: ['a:9092', '[::1]:9093'],
        topic: 'fleet',
        key: 'vin',
        compression: 'none',
        maxBytes: 5_000_000,
      },
      tls: { ca: '/ca.pem' },
      login: { user: 'sync', mechanism: 'plain', passwordFile: '/password' },
    });
    assert.equal(describeKafka(options), 'kafka://a:9092,[::1]:9093/fleet');
    assert.deepEqual(parse('//a/b', { tls: 'yes' }).options.tls, {});
  });

  it('name every fault and repeat no secret', () => {
    for (const [address, options, fault] of [
      ['//host', {}, /followed by \/\/host:port\/topic/],
      ['//host/a b', {}, /a b: a topic of up to 249/],
      ['//host:0/a', {}, /host:0: a broker as host:port/],
      [
        '//host/a',
        { key: 'x', compression: 'y' },
        /key=x: robot, vin\ncompression=y|compression=y.*\n.*key=x/,
      ],
      ['//host/a', { max_bytes: '1' }, /max_bytes=1: a whole number/],
      ['//host/a', { cert: 'c' }, /cert: together with cert_key/],
      ['//host/a', { tls: 'no', ca: 'c' }, /tls=no: without ca/],
      ['//host/a', { password_file: 'p' }, /password_file: together with user/],
      ['//host/a', { mechanism: 'plain' }, /mechanism: together with user/],
    ] as const) {
      assert.match(parse(address, options).faults, fault, address);
    }
    const { faults } = parse('//user:hunter2@host/a');
    assert.match(faults, /HOLDFAST_KAFKA_PASSWORD or password_file/);
    assert.ok(!faults.includes('hunter2'));
  });
});
