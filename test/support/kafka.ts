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

/** A broker of Apache Kafka on loopback; it can be killed and started again with its data. */
export class KafkaBroker implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-kafka-'));
  readonly #jars: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(jars: string, port: number) {
    this.#jars = jars;
    this.#port = port;
  }

  /** Skips if there is no broker: its jars come from Maven alone. */
  static async start(context: Mocha.Context): Promise<KafkaBroker> {
    const jars = process.env[FOLDER] ?? '';
    if (jars === '' || !existsSync(jars))
      lacking(context, 'kafka', `${FOLDER} names no folder with the jars of Kafka`);
    if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0)
      lacking(context, 'kafka', 'no java');
    const broker = new KafkaBroker(jars, await freePort());
    broker.#configure(await freePort());
    execFileSync(
      'java',
      broker.#java('kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', broker.#config),
      {
        stdio: 'ignore',
      },
    );
    await broker.run();
    return broker;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
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

  #configure(controllerPort: number): void {
    const lines = [
      ...['process.roles=broker,controller', 'node.id=1', 'inter.broker.listener.name=PLAINTEXT'],
      ...[`controller.quorum.voters=1@127.0.0.1:${controllerPort}`, 'controller.listener.names=CONTROLLER'],
      `listeners=PLAINTEXT://${this.address},CONTROLLER://127.0.0.1:${controllerPort}`,
      ...[`advertised.listeners=PLAINTEXT://${this.address}`, `log.dirs=${join(this.#folder, 'data')}`],
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      ...['auto.create.topics.enable=false', 'group.initial.rebalance.delay.ms=0'],
      ...['offsets.topic.replication.factor=1', 'offsets.topic.num.partitions=1'],
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }
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
