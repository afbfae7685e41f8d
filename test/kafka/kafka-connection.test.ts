import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { connectionOptions } from '../../src/kafka/kafka-connection.js';
import { kafkaError } from '../../src/kafka/kafka-errors.js';
import { loadKafka } from '../../src/kafka/kafka-library.js';

describe('a connection to Kafka', () => {
  let folder: string;

  before(async () => void (folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-kafka-login-'))));
  after(() => fs.rm(folder, { recursive: true }));

  const login = { user: 'sync', mechanism: 'scram-sha-256' } as const;

  it('reads certificates and the password when it is made', async () => {
    const [ca, passwordFile] = [join(folder, 'ca'), join(folder, 'password')];
    await fs.writeFile(ca, 'PEM');
    await fs.writeFile(passwordFile, 'hunter2\n');
    const cluster = { brokers: ['a:1'], tls: { ca }, login: { ...login, passwordFile } };
    const { tls, sasl, bootstrapBrokers } = await connectionOptions(cluster, { fileSystem: fs });
    assert.deepEqual([tls?.ca?.toString(), bootstrapBrokers], ['PEM', ['a:1']]);
    assert.deepEqual(sasl, { mechanism: 'SCRAM-SHA-256', username: 'sync', password: 'hunter2' });
    const environment = { HOLDFAST_KAFKA_PASSWORD: 'of the environment' };
    const other = await connectionOptions({ brokers: ['a:1'], login }, { fileSystem: fs, environment });
    assert.equal(other.sasl?.password, 'of the environment');
    const plain = await connectionOptions({ brokers: ['a:1'] }, { fileSystem: fs });
    assert.deepEqual([plain.tls, plain.sasl], [undefined, undefined]);
  });

  it('names the file or variable that is missing', async () => {
    const missing = { brokers: ['a:1'], login: { ...login, passwordFile: join(folder, 'none') } };
    await assert.rejects(
      connectionOptions(missing, { fileSystem: fs }),
      /STORE_ACCESS_DENIED|none cannot be read/,
    );
    await assert.rejects(
      connectionOptions({ brokers: ['a:1'], login }, { fileSystem: fs }),
      /no password: set HOLDFAST_KAFKA_PASSWORD or password_file/,
    );
  });

  it('says what to do about an error of the client, however deep it lies', () => {
    const named = (apiId: string): Error => Object.assign(new Error(apiId), { apiId });
    const wrapped = (error: Error): Error =>
      new Error('outer', { cause: new AggregateError([new Error('first'), error], 'several') });
    const codeOf = (error: Error): string => {
      const found = kafkaError(error, 'kafka://a/b');
      assert.ok(found instanceof HoldfastError);
      return found.code;
    };
    assert.equal(codeOf(wrapped(named('MESSAGE_TOO_LARGE'))), 'STORE_REJECTED');
    assert.equal(codeOf(wrapped(named('UNKNOWN_TOPIC_OR_PARTITION'))), 'STORE_NOT_FOUND');
    assert.equal(codeOf(named('TOPIC_AUTHORIZATION_FAILED')), 'STORE_ACCESS_DENIED');
    const refused = Object.assign(new Error('no'), { code: 'PLT_KFK_AUTHENTICATION' });
    assert.equal(codeOf(wrapped(refused)), 'STORE_ACCESS_DENIED');
    assert.equal(codeOf(new Error('connect ECONNREFUSED')), 'STORE_OFFLINE');
    const own = new HoldfastError('STORE_BUSY', 'busy');
    assert.equal(kafkaError(own, ''), own);
  });

  it('names the package that is missing', async () => {
    await assert.rejects(
      loadKafka(() => Promise.reject(new Error('not found'))),
      {
        code: 'STORE_UNAVAILABLE',
        message: /npm install @platformatic\/kafka\): not found/,
      },
    );
  });
});
