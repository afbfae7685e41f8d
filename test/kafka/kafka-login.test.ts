import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { encodeMessageBatch } from '../../src/core/message-batch.js';
import { loadKafka } from '../../src/kafka/kafka-library.js';
import { openSource } from '../../src/sources/open-source.js';
import { KafkaDelivery } from '../../src/stores/kafka/kafka-delivery.js';
import { parseKafkaSink } from '../../src/stores/kafka/kafka-options.js';
import { Probe } from '../../src/testing/source-probe.js';
import { eventually } from '../../src/testing/waiting.js';
import { Certificates } from '../support/certificates.js';
import { KafkaBroker, type Listener } from '../support/kafka.js';
import { perhaps } from '../support/perhaps.js';

const TOPIC = 'secured';
const USER = 'rec';
const PASSWORD = 'correct-horse';
const PATIENCE_MS = 30_000;
const DENIED = /Connection to 127\.0\.0\.1:\d+ failed; SASL authentication failed$/;

describe('TLS and SASL of Kafka', function () {
  this.timeout(180_000);
  let folder = '';
  let certificates: Certificates;
  let broker: KafkaBroker;
  let count = 0;
  const probes: Probe[] = [];

  before(async function () {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-kafka-tls-'));
    certificates = new Certificates(folder);
    for (const name of ['authority', 'stranger']) certificates.authority(name);
    certificates.signed('broker', 'IP:127.0.0.1', 'authority');
    certificates.signed('client', 'DNS:recorder.example', 'authority');
    const keystore = join(folder, 'keystore.pem');
    const parts = [certificates.path('broker', 'key'), certificates.path('broker')];
    writeFileSync(keystore, parts.map((path) => readFileSync(path, 'utf8')).join(''));
    const truststore = certificates.path('authority');
    broker = await KafkaBroker.start(this, { keystore, truststore, user: USER, password: PASSWORD });
    await broker.createTopic(TOPIC, 1);
    writeFileSync(join(folder, 'password'), `${PASSWORD}\n`);
    writeFileSync(join(folder, 'wrong'), 'battery-staple');
  });
  afterEach(() => probes.splice(0).forEach((probe) => probe.unsubscribe()));
  after(async () => {
    await perhaps(broker)?.[Symbol.asyncDispose]();
    if (folder !== '') await fs.rm(folder, { recursive: true });
  });

  type Options = Readonly<Record<string, string>>;
  const ca = (): Options => ({ ca: certificates.path('authority') });
  const client = (): Options => ({
    cert: certificates.path('client'),
    cert_key: certificates.path('client', 'key'),
  });
  const login = (mechanism: string, file = 'password'): Options => ({
    ...ca(),
    ...{ user: USER, mechanism, password_file: join(folder, file) },
  });

  async function send(listener: Listener, options: Options, text: string): Promise<void> {
    const fault = (value: string, allowed: string): void => assert.fail(`${value}: ${allowed}`);
    const sink = parseKafkaSink(
      `//${broker.addressOf(listener)}/${TOPIC}`,
      new Map(Object.entries(options)),
      fault,
    );
    await using delivery = new KafkaDelivery(sink, { fileSystem: fs }, await loadKafka());
    await delivery.probe();
    const message = { key: 'r1', value: Buffer.from(text), headers: {}, timestampMs: 1_795_000_000_000 };
    await delivery.deliver(encodeMessageBatch([message]));
  }

  async function listen(listener: Listener, options: Options): Promise<Probe> {
    const query = new URLSearchParams({ group: `group-${++count}`, ...options });
    const probe = new Probe(
      await openSource(`kafka://${broker.addressOf(listener)}/${TOPIC}?${query.toString()}`, { fs }),
    );
    probes.push(probe);
    return probe;
  }

  const textsOf = ({ messages }: Probe): string[] => messages.map(({ data }) => Buffer.from(data).toString());
  const reasonOf = ({ events }: Probe): string | undefined =>
    events.flatMap((one) => (one.kind === 'state' && one.state === 'waiting' ? [one.detail ?? ''] : []))[0];

  const ways: [string, Listener, () => Options][] = [
    ['TLS with a certificate of the client', 'tls', () => ({ ...ca(), ...client() })],
    ['SCRAM-SHA-512 over TLS', 'login', () => login('scram-sha-512')],
    ['PLAIN over TLS', 'login', () => login('plain')],
  ];
  for (const [name, listener, options] of ways) {
    it(`lets sink and source in with ${name}`, async () => {
      await send(listener, options(), `by ${name}`);
      const probe = await listen(listener, options());
      await eventually(() => textsOf(probe).includes(`by ${name}`), 'the message', PATIENCE_MS);
    });
  }

  const refusals: [string, Listener, () => Options, RegExp][] = [
    ['a wrong password (SCRAM)', 'login', () => login('scram-sha-512', 'wrong'), DENIED],
    ['a wrong password (PLAIN)', 'login', () => login('plain', 'wrong'), DENIED],
    ['a mechanism that the broker does not have', 'login', () => login('scram-sha-256'), /mechanism/i],
    [
      'a broker whose authority is not trusted',
      'login',
      () => ({ ...login('plain'), ca: certificates.path('stranger') }),
      /certificate/i,
    ],
    ['a broker that only Node.js could trust', 'tls', () => ({ tls: 'yes', ...client() }), /certificate/i],
    ['no certificate of its own', 'tls', ca, /certificate|alert|closed/i],
  ];
  for (const [name, listener, options, expected] of refusals) {
    it(`tells sink and source about ${name}`, async () => {
      await assert.rejects(send(listener, options(), 'never'), (error) => {
        assert.ok(isHoldfastError(error), String(error));
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /battery|horse/);
        return true;
      });
      const probe = await listen(listener, options());
      await eventually(() => reasonOf(probe) !== undefined, 'a reason to wait', PATIENCE_MS);
      assert.match(reasonOf(probe) ?? '', expected);
      assert.doesNotMatch(reasonOf(probe) ?? '', /battery|horse/);
      assert.deepEqual(probe.messages, []);
    });
  }
});
