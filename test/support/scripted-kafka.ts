import { EventEmitter } from 'node:events';
import type { KafkaLibrary } from '../../src/kafka/kafka-library.js';
import type { FetchedPartition } from '../../src/sources/kafka/fetched-records.js';
import { sleep } from '../../src/testing/waiting.js';

/** A record as a test writes it; its offset is the next one of its partition, unless a test says otherwise. */
export interface ScriptedRecord {
  readonly value: string | Buffer;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch. Default: none. */
  readonly timestampMs?: number;
}

interface ScriptedPartition {
  leader: number;
  earliest: number;
  readonly records: ScriptedRecord[];
}

interface ScriptedTopic {
  id: string;
  partitions: ScriptedPartition[];
}

/** Calls of the client that a test can let fail. */
export type ScriptedCall = 'metadata' | 'joinGroup' | 'offsets' | 'fetch' | 'commit' | 'leaveGroup' | 'close';

/** What a call does instead of its work; `undefined`: its work. */
export type ScriptedFault = () => Error | 'no answer' | undefined;

interface FetchTopic {
  readonly topicId: string;
  readonly partitions: readonly { readonly partition: number; readonly fetchOffset: bigint }[];
}

interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

const NO_PRODUCER = -1n;
const EARLIEST = -2n;

/**
 * A cluster in memory, behind the client's own interface, for faults that a real one does not have on demand. What a
 * cluster and its client really do is tested with Apache Kafka (kafka-source.test.ts).
 */
export class ScriptedKafka {
  readonly topics = new Map<string, ScriptedTopic>();
  /** `topic/partition` -> the group's offset. */
  readonly committed = new Map<string, number>();
  readonly faults = new Map<ScriptedCall, ScriptedFault>();
  readonly members: ScriptedConsumer[] = [];
  /** Member ids with which a member joined; null: a new member. */
  readonly joinedAs: (string | null)[] = [];

  /** What the source loads instead of the client. */
  readonly load = (): Promise<KafkaLibrary> => {
    const make = (): ScriptedConsumer => {
      const member = new ScriptedConsumer(this);
      this.members.push(member);
      return member;
    };
    // A constructor may return another object.
    const Consumer = function (): ScriptedConsumer {
      return make();
    };
    return Promise.resolve({ Consumer } as unknown as KafkaLibrary);
  };

  create(topic: string, partitions = 1): void {
    const id = `id-${topic}-${this.topics.has(topic) ? 'again' : 'first'}`;
    const made = Array.from({ length: partitions }, () => ({ leader: 1, earliest: 0, records: [] }));
    this.topics.set(topic, { id, partitions: made });
  }

  produce(topic: string, records: readonly ScriptedRecord[], partition = 0): void {
    this.partition(topic, partition).records.push(...records);
  }

  partition(topic: string, partition = 0): ScriptedPartition {
    const found = this.topics.get(topic)?.partitions[partition];
    if (found === undefined) throw new Error(`no partition ${partition} of ${topic}`);
    return found;
  }

  /** The member that joined last. */
  get member(): ScriptedConsumer {
    const last = this.members.at(-1);
    if (last === undefined) throw new Error('nobody has joined');
    return last;
  }

  /** The next `times` calls fail so; the ones after them work. */
  failNext(call: ScriptedCall, error: Error | 'no answer', times = 1): void {
    let left = times;
    this.faults.set(call, () => (left-- > 0 ? error : undefined));
  }
}

/** The client of one member, as far as the source uses it. */
class ScriptedConsumer extends EventEmitter {
  readonly #cluster: ScriptedKafka;
  memberId: string | null = null;
  assignments: { topic: string; partitions: number[] }[] | undefined;
  fetches = 0;
  isClosed = false;
  readonly topics = { trackAll: (...names: string[]): void => void (this.#tracked = names) };
  #tracked: string[] = [];

  constructor(cluster: ScriptedKafka) {
    super();
    this.#cluster = cluster;
  }

  async metadata({ topics }: { topics: string[] }): Promise<unknown> {
    await this.#call('metadata');
    const facts = topics.map((name) => {
      const topic = this.#cluster.topics.get(name);
      if (topic === undefined) throw new Error(`unknown topic ${name}`);
      const partitions = Object.fromEntries(topic.partitions.map(({ leader }, i) => [i, { leader }]));
      return [name, { id: topic.id, partitions, partitionsCount: topic.partitions.length }] as const;
    });
    return { topics: new Map(facts) };
  }

  async joinGroup(): Promise<void> {
    await this.#call('joinGroup');
    this.#cluster.joinedAs.push(this.memberId);
    this.memberId ??= `member-${this.#cluster.joinedAs.length}`;
    this.share();
  }

  /** Gives it all partitions that there are now, or some of them. */
  share(of: (partition: number) => boolean = () => true): void {
    this.assignments = this.#tracked.map((topic) => ({
      topic,
      partitions: [...(this.#cluster.topics.get(topic)?.partitions.keys() ?? [])].filter(of),
    }));
    this.emit('consumer:group:join');
  }

  async listOffsets({ topics, timestamp }: { topics: string[]; timestamp: bigint }): Promise<unknown> {
    await this.#call('offsets');
    return this.#each(topics, (_, { earliest, records }) =>
      timestamp === EARLIEST ? earliest : records.length,
    );
  }

  async listCommittedOffsets({ topics }: { topics: { topic: string }[] }): Promise<unknown> {
    await this.#call('offsets');
    return this.#each(
      topics.map(({ topic }) => topic),
      (name) => this.#cluster.committed.get(name) ?? -1,
    );
  }

  async fetch({ node, topics }: { node: number; topics: FetchTopic[] }): Promise<unknown> {
    this.fetches++;
    await this.#call('fetch');
    await sleep(2);
    const responses = topics.map(({ topicId, partitions }) => {
      const topic = [...this.#cluster.topics.values()].find(({ id }) => id === topicId);
      return {
        topicId,
        partitions: partitions.map(({ partition, fetchOffset }) => {
          const of = topic?.partitions[partition];
          if (of?.leader !== node) throw new Error(`broker ${node} does not lead partition ${partition}`);
          return answerOf(partition, of, Number(fetchOffset));
        }),
      };
    });
    return { responses };
  }

  async commit({ offsets }: { offsets: CommittedOffset[] }): Promise<void> {
    await this.#call('commit');
    for (const { topic, partition, offset } of offsets)
      this.#cluster.committed.set(`${topic}/${partition}`, Number(offset));
  }

  leaveGroup(_force: boolean, done: (error?: Error) => void): void {
    this.#call('leaveGroup').then(() => done(), done);
  }

  close(_force: boolean, done: (error?: Error) => void): void {
    this.isClosed = true;
    this.#call('close').then(() => done(), done);
  }

  async #call(name: ScriptedCall): Promise<void> {
    const fault = this.#cluster.faults.get(name)?.();
    if (fault === 'no answer') await new Promise(() => undefined);
    else if (fault !== undefined) throw fault;
  }

  #each(topics: string[], offsetOf: (name: string, partition: ScriptedPartition) => number): unknown {
    return new Map(
      topics.map((topic) => {
        const { partitions } = this.#cluster.topics.get(topic) ?? { partitions: [] };
        return [topic, partitions.map((one, i) => BigInt(offsetOf(`${topic}/${i}`, one)))];
      }),
    );
  }
}

/** All records from the offset on, as one batch of a producer without transactions. */
function answerOf(
  partition: number,
  { records, earliest }: ScriptedPartition,
  offset: number,
): FetchedPartition {
  if (offset < earliest) throw new Error(`offset ${offset} is out of range`);
  const found = records.slice(offset);
  const base = BigInt(found[0]?.timestampMs ?? 0);
  const batch = {
    ...{ firstOffset: BigInt(offset), lastOffsetDelta: found.length - 1, attributes: 0 },
    ...{ firstTimestamp: base, maxTimestamp: base, producerId: NO_PRODUCER },
    records: found.map(({ key = '', value, headers = {}, timestampMs = 0 }, i) => ({
      ...{ offsetDelta: i, timestampDelta: BigInt(timestampMs) - base },
      key: Buffer.from(key),
      value: Buffer.from(value),
      headers: Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
    })),
  };
  return {
    ...{ partitionIndex: partition, errorCode: 0, highWatermark: BigInt(records.length) },
    ...{ abortedTransactions: [], records: found.length === 0 ? [] : [batch] },
  } as unknown as FetchedPartition;
}
