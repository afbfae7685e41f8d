import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admin, Consumer, deleteRecordsV2, Producer, type Message } from '@platformatic/kafka';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';
import { endChild } from './end-child.js';

/** A folder with the jars of a broker: `kafka_2.13` and what it depends on, as Maven copies them. */
const FOLDER = 'HOLDFAST_TEST_KAFKA';
const START_TIMEOUT_MS = 90_000;
const CLUSTER = Buffer.alloc(16, 1).toString('base64url');
const HEAP = '-Xmx512m';

/** A record as a consumer reads it. */
export interface StoredRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition: number;
  readonly timestampMs: number;
}

/** A record to produce. */
export interface NewRecord {
  readonly key?: string;
  readonly value: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestampMs?: number;
}

/** `tls` wants the certificate of a client, `login` a user and a password, both over TLS. */
export type Listener = 'plain' | 'tls' | 'login';

/** What a broker with all listeners needs. */
export interface Secured {
  /** PEM with its private key and its certificate. */
  readonly keystore: string;
  /** PEM with the authority of its clients. */
  readonly truststore: string;
  readonly user: string;
  readonly password: string;
}

/** A broker of Apache Kafka on loopback; it can be killed and started again with its data. */
export class KafkaBroker implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-kafka-'));
  readonly #jars: string;
  readonly #ports: Readonly<Record<Listener, number>>;
  #child: ChildProcess | undefined;

  private constructor(jars: string, ports: Readonly<Record<Listener, number>>) {
    this.#jars = jars;
    this.#ports = ports;
  }

  /** Skips if there is no broker: its jars come from Maven alone. */
  static async start(context: Mocha.Context, secured?: Secured): Promise<KafkaBroker> {
    const jars = process.env[FOLDER] ?? '';
    if (jars === '' || !existsSync(jars))
      lacking(context, 'kafka', `${FOLDER} names no folder with the jars of Kafka`);
    if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0)
      lacking(context, 'kafka', 'no java');
    const [plain, tls, login] = [await freePort(), await freePort(), await freePort()];
    const broker = new KafkaBroker(jars, { plain, tls, login });
    broker.#configure(await freePort(), secured);
    const user = secured && `SCRAM-SHA-512=[name=${secured.user},password=${secured.password}]`;
    const format = ['format', '-t', CLUSTER, '-c', broker.#config, ...(user ? ['--add-scram', user] : [])];
    execFileSync('java', broker.#java('kafka.tools.StorageTool', ...format), { stdio: 'ignore' });
    await broker.run();
    return broker;
  }

  /** `host:port`. */
  get address(): string {
    return this.addressOf('plain');
  }

  /** `host:port` of a listener; those other than `plain` exist if the broker is secured. */
  addressOf(listener: Listener): string {
    return `127.0.0.1:${this.#ports[listener]}`;
  }

  async run(): Promise<void> {
    const child = spawn('java', this.#java('kafka.Kafka', this.#config), { stdio: 'ignore' });
    this.#child = child;
    process.once('exit', () => child.kill('SIGKILL'));
    const isReady = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`Kafka ended with exit code ${child.exitCode}`);
      const admin = this.#admin();
      try {
        await admin.metadata({ topics: [] });
        return true;
      } catch {
        return false;
      } finally {
        await admin.close().catch(() => undefined);
      }
    };
    await eventually(isReady, 'Kafka', START_TIMEOUT_MS, 500);
  }

  async createTopic(
    topic: string,
    partitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const admin = this.#admin();
    await admin.createTopics({
      ...{ topics: [topic], partitions, replicas: 1 },
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    });
    await admin.close();
  }

  /** The first records of a topic, each partition in its order. */
  async records(topic: string, count: number): Promise<StoredRecord[]> {
    const consumer = new Consumer({
      clientId: 'test',
      groupId: `test-${topic}`,
      bootstrapBrokers: [this.address],
    });
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
    const found: StoredRecord[] = [];
    stream.on('data', (message: Message) => found.push(readRecord(message)));
    try {
      await eventually(() => found.length >= count, `${count} records of ${topic}`);
    } finally {
      await stream.close();
      await new Promise<void>((resolve) => consumer.close(true, () => resolve()));
    }
    return found;
  }

  /** Appends records to one partition; the first offset is 0. */
  async produce(topic: string, records: readonly NewRecord[], partition = 0): Promise<void> {
    const producer = new Producer({ clientId: 'test', bootstrapBrokers: [this.address] });
    try {
      const messages = records.map(({ key, value, headers = {}, timestampMs }) => ({
        ...{ topic, partition, value: Buffer.from(value) },
        ...(key !== undefined && { key: Buffer.from(key) }),
        ...(timestampMs !== undefined && { timestamp: BigInt(timestampMs) }),
        headers: new Map(
          Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
        ),
      }));
      await producer.send({ messages, acks: -1, autocreateTopics: false });
    } finally {
      await producer.close();
    }
  }

  /** Deletes the records of partition 0 before an offset, as retention does. */
  async deleteRecords(topic: string, before: number): Promise<void> {
    const admin = this.#admin();
    try {
      const [connection] = (await admin.connectToBrokers()).values();
      const partitions = [{ partitionIndex: 0, offset: BigInt(before) }];
      await deleteRecordsV2.api.async(present(connection), [{ name: topic, partitions }], 10_000);
    } finally {
      await admin.close();
    }
  }

  /** The offset that a group has stored for a partition: the one of its next message. Undefined: none. */
  async committed(group: string, topic: string, partition = 0): Promise<number | undefined> {
    const consumer = new Consumer({ clientId: 'test', groupId: group, bootstrapBrokers: [this.address] });
    try {
      const offsets = await consumer.listCommittedOffsets({ topics: [{ topic, partitions: [partition] }] });
      const offset = Number(offsets.get(topic)?.[partition] ?? -1n);
      return offset < 0 ? undefined : offset;
    } finally {
      await new Promise<void>((resolve) => consumer.close(true, () => resolve()));
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endChild(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #config(): string {
    return join(this.#folder, 'server.properties');
  }

  #admin(): Admin {
    return new Admin({
      clientId: 'test',
      bootstrapBrokers: [this.address],
      retries: 0,
      connectTimeout: 1_000,
    });
  }

  #java(...args: string[]): string[] {
    return [HEAP, '-cp', join(this.#jars, '*'), ...args];
  }

  #configure(controllerPort: number, secured: Secured | undefined): void {
    const names: Listener[] = secured ? ['plain', 'tls', 'login'] : ['plain'];
    const own = names.map((name) => `${name.toUpperCase()}://${this.addressOf(name)}`).join();
    const lines = [
      ...['process.roles=broker,controller', 'node.id=1', 'inter.broker.listener.name=PLAIN'],
      ...[`controller.quorum.voters=1@127.0.0.1:${controllerPort}`, 'controller.listener.names=CONTROLLER'],
      `listeners=${own},CONTROLLER://127.0.0.1:${controllerPort}`,
      ...[`advertised.listeners=${own}`, `log.dirs=${join(this.#folder, 'data')}`],
      'listener.security.protocol.map=PLAIN:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL,CONTROLLER:PLAINTEXT',
      ...['auto.create.topics.enable=false', 'group.initial.rebalance.delay.ms=0'],
      ...['offsets.topic.replication.factor=1', 'offsets.topic.num.partitions=1'],
      ...(secured ? securityLines(secured) : []),
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }
}

// https://kafka.apache.org/documentation/#security
function securityLines({ keystore, truststore, user, password }: Secured): string[] {
  const modules = 'org.apache.kafka.common.security';
  const scram = `${modules}.scram.ScramLoginModule required;`;
  return [
    ...['ssl.keystore.type=PEM', `ssl.keystore.location=${keystore}`],
    ...['ssl.truststore.type=PEM', `ssl.truststore.location=${truststore}`],
    'listener.name.tls.ssl.client.auth=required',
    'listener.name.login.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN',
    `listener.name.login.scram-sha-512.sasl.jaas.config=${scram}`,
    `listener.name.login.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_${user}="${password}";`,
  ];
}

function readRecord({ key, value, headers, partition, timestamp }: Message): StoredRecord {
  const pairs = [...headers].map(([name, text]) => [name.toString(), text.toString()] as const);
  return {
    key: key.toString(),
    value,
    headers: Object.fromEntries(pairs),
    partition,
    timestampMs: Number(timestamp),
  };
}
