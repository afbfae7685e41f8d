import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { isHoldfastError } from '../../../src/core/errors.js';
import { readKafkaUri } from '../../../src/sources/kafka/kafka-options.js';
import { createKafkaSource } from '../../../src/sources/kafka/kafka-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';

const read = (uri: string) => readKafkaUri(parseSourceUri(uri));

function faultsOf(uri: string, code: 'CONFIG_INVALID' | 'SOURCE_UNKNOWN' = 'CONFIG_INVALID'): string {
  try {
    read(uri);
  } catch (error) {
    assert.ok(isHoldfastError(error, code), String(error));
    return error.message;
  }
  throw new Error(`${uri} was accepted`);
}

describe('A kafka: URI of a source', () => {
  it('has defaults for all but the topic and the group', () => {
    assert.deepEqual(read('kafka://broker/fleet?group=rec'), {
      brokers: ['broker:9092'],
      topics: ['fleet'],
      group: 'rec',
      from: 'earliest',
      encoding: 'json',
      robotFrom: 'topic',
      sessionMs: 10_000,
      fetchBytes: 8 * 1024 * 1024,
      maxMessageBytes: 64 * 1024 * 1024,
    });
  });

  it('names several brokers and topics, and how to log in', () => {
    const { brokers, topics, tls, login, ...rest } = read(
      'kafka://a:1,b:2/x,y,x?group=g&from=latest&encoding=protobuf&robot_from=key&session=1m&fetch_mb=1' +
        '&max_message_mb=2&ca=/ca.pem&user=u&mechanism=plain&password_file=/p',
    );
    assert.deepEqual([brokers, topics, tls], [['a:1', 'b:2'], ['x', 'y'], { ca: '/ca.pem' }]);
    assert.deepEqual(login, { user: 'u', mechanism: 'plain', passwordFile: '/p' });
    assert.deepEqual(
      [rest.from, rest.encoding, rest.robotFrom, rest.sessionMs, rest.fetchBytes, rest.maxMessageBytes],
      ['latest', 'protobuf', 'key', 60_000, 1024 * 1024, 2 * 1024 * 1024],
    );
  });

  it('is refused with everything that is wrong at once', () => {
    const message = faultsOf(
      'kafka://a:99999,me@b/x y?session=1s&from=now&encoding=,&robot_from=vin&fetch_mb=0&tls=maybe&cert=/c&key=vin',
    );
    for (const word of [
      'topic "x y"',
      'group: has to be given',
      'session: has to be from 6s to 5m',
      'from: "now"',
      'encoding: ","',
      'robot_from: "vin"',
      'fetch_mb: "0"',
      'tls=maybe: allowed is yes, no',
      'cert: allowed is together with cert_key',
      'kafka:: allowed is an address without credentials',
      'key: unknown option',
    ])
      assert.ok(message.includes(word), `${word} is not in ${message}`);
    assert.match(faultsOf('kafka://a:99999/x?group=g'), /a:99999: allowed is a broker as host:port/);
  });

  it('needs brokers and a topic, and shows no password', () => {
    for (const uri of ['kafka://broker?group=g', 'kafka:///x?group=g', 'kafka:x', 'kafka://a/b/c'])
      assert.match(faultsOf(uri, 'SOURCE_UNKNOWN'), /kafka:\/\/host:port\/topic\?group=/);
    assert.doesNotMatch(faultsOf('kafka://me:s3cret@b/x?group=g'), /s3cret/);
  });

  it('needs the client, and says how to install it', async () => {
    const load = (): Promise<never> => Promise.reject(new Error('Cannot find package'));
    await assert.rejects(
      createKafkaSource(parseSourceUri('kafka://b/x?group=g'), { fs, load }),
      (error) =>
        isHoldfastError(error, 'STORE_UNAVAILABLE') &&
        error.message.includes('npm install @platformatic/kafka'),
    );
  });
});
