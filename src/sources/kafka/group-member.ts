import type { ClusterMetadata, Consumer } from '@platformatic/kafka';
import type { Clock } from '../../core/clock.js';
import type { KafkaConnectionOptions } from '../../kafka/kafka-connection.js';
import type { KafkaLibrary } from '../../kafka/kafka-library.js';
import type { FetchedPartition } from './fetched-records.js';
import type { KafkaSourceOptions } from './kafka-options.js';
import { within } from './within.js';

export type TopicFacts = ClusterMetadata['topics'] extends Map<string, infer T> ? T : never;

/** A partition of a topic, by name. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Offsets of a partition; each is the one of the next message. */
export interface PartitionRange {
  /** Undefined: the group has committed nothing. */
  readonly committed: number | undefined;
  readonly earliest: number;
  readonly latest: number;
}

/** What a fetch of one partition asks for. */
export interface FetchPosition extends AssignedPartition {
  readonly topicId: string;
  readonly next: number;
}

const CALL_MS = 20_000;
const LEAVE_MS = 1_000;
const FETCH_WAIT_MS = 500;
const REBALANCE_MS = 30_000;
/** Heartbeats or commits that fail in a row: the coordinator of the group may be another broker now. */
const MAX_FAILURES = 3;
const [EARLIEST, LATEST] = [-2n, -1n];

export function partitionsOf(topics: ReadonlyMap<string, TopicFacts>): number {
  return [...topics.values()].reduce((sum, { partitionsCount }) => sum + partitionsCount, 0);
}

/** One membership in a consumer group, over one set of connections. */
export class GroupMember {
  readonly #consumer: Consumer;
  readonly #options: KafkaSourceOptions;
  readonly #clock: Clock;
  #partitions = 0;
  #failures = 0;
  #fail: (error: Error) => void = () => undefined;
  #joined: () => void = () => undefined;

  private constructor(consumer: Consumer, options: KafkaSourceOptions, clock: Clock) {
    this.#consumer = consumer;
    this.#options = options;
    this.#clock = clock;
    consumer.on('error', (error: Error) => this.#fail(error));
    consumer.on('consumer:group:join', () => this.#joined());
    consumer.on('consumer:heartbeat:end', () => (this.#failures = 0));
    consumer.on('consumer:heartbeat:error', ({ error }: { error: Error }) => this.#failed(error));
  }

  /**
   * Joins the group.
   *
   * @param memberId of an earlier membership that could not leave: the cluster then gives its partitions back at once
   * @throws the error of the client, also if a topic does not exist.
   */
  static async join(
    library: KafkaLibrary,
    connection: KafkaConnectionOptions,
    options: KafkaSourceOptions,
    clock: Clock,
    memberId: string | null,
  ): Promise<GroupMember> {
    const { group, sessionMs, topics } = options;
    const consumer = new library.Consumer({
      ...connection,
      ...{ groupId: group, autocommit: false, autocreateTopics: false },
      ...{ sessionTimeout: sessionMs, heartbeatInterval: Math.min(3_000, sessionMs / 3) },
      rebalanceTimeout: Math.max(REBALANCE_MS, sessionMs),
    });
    const member = new GroupMember(consumer, options, clock);
    try {
      member.#partitions = partitionsOf(await member.topics());
      consumer.topics.trackAll(...topics);
      consumer.memberId = memberId;
      await within(clock, 2 * Math.max(REBALANCE_MS, sessionMs), 'joining the group', consumer.joinGroup({}));
      return member;
    } catch (error) {
      await member.leave();
      throw error;
    }
  }

  /** Number of partitions of all topics just before it joined: the group has shared out no others. */
  get partitions(): number {
    return this.#partitions;
  }

  get assigned(): AssignedPartition[] {
    return (this.#consumer.assignments ?? []).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  }

  /** Calls `joined` when the partitions are shared out again, and `fail` when the membership is of no use any more. */
  listen(joined: () => void, fail: (error: Error) => void): void {
    this.#joined = joined;
    this.#fail = fail;
  }

  /** The topics as the cluster has them now. */
  async topics(): Promise<Map<string, TopicFacts>> {
    const asked = { topics: [...this.#options.topics], autocreateTopics: false, forceUpdate: true };
    const { topics } = await this.#call('asking for the topics', this.#consumer.metadata(asked));
    return topics;
  }

  async rangesOf(partitions: readonly AssignedPartition[]): Promise<PartitionRange[]> {
    const byTopic = new Map<string, number[]>();
    for (const { topic, partition } of partitions)
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
    const topics = [...byTopic.keys()];
    const groups = [...byTopic].map(([topic, numbers]) => ({ topic, partitions: numbers }));
    const list = { topics, partitions: Object.fromEntries(byTopic) };
    const [earliest, latest, committed] = await this.#call(
      'asking for the offsets',
      Promise.all([
        this.#consumer.listOffsets({ ...list, timestamp: EARLIEST }),
        this.#consumer.listOffsets({ ...list, timestamp: LATEST }),
        this.#consumer.listCommittedOffsets({ topics: groups }),
      ]),
    );
    return partitions.map(({ topic, partition }) => {
      const own = Number(committed.get(topic)?.[partition] ?? -1n);
      return {
        committed: own >= 0 ? own : undefined,
        earliest: Number(earliest.get(topic)?.[partition] ?? 0n),
        latest: Number(latest.get(topic)?.[partition] ?? 0n),
      };
    });
  }

  /** New records of some partitions of one broker; waits up to half a second for the first. */
  async fetch(
    node: number,
    positions: readonly FetchPosition[],
  ): Promise<{ readonly topicId: string; readonly fetched: FetchedPartition }[]> {
    const { fetchBytes } = this.#options;
    const topics = positions.map(({ topicId, partition, next }) => ({
      topicId,
      partitions: [
        {
          ...{ partition, fetchOffset: BigInt(next), partitionMaxBytes: fetchBytes },
          ...{ currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
        },
      ],
    }));
    const request = { node, topics, maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: fetchBytes };
    const { responses } = await this.#call('fetching', this.#consumer.fetch(request));
    return responses.flatMap(({ topicId, partitions }) =>
      partitions.map((fetched) => ({ topicId, fetched })),
    );
  }

  /** Stores offsets for the group; false: not now. After several failures the membership has failed. */
  async commit(offsets: readonly (AssignedPartition & { readonly offset: number })[]): Promise<boolean> {
    const list = offsets.map(({ topic, partition, offset }) => ({
      ...{ topic, partition, offset: BigInt(offset), leaderEpoch: -1 },
    }));
    try {
      await this.#call('committing offsets', this.#consumer.commit({ offsets: list }));
      return true;
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  /** Leaves the group and closes the connections. The member's id if the cluster may still count it as a member. */
  async leave(): Promise<string | null> {
    const { memberId } = this.#consumer;
    this.listen(
      () => undefined,
      () => undefined,
    );
    const left = await this.#quietly((done) => this.#consumer.leaveGroup(true, done));
    // Otherwise closing would wait for the group again.
    this.#consumer.memberId = null;
    await this.#quietly((done) => this.#consumer.close(true, done));
    return left ? null : memberId;
  }

  /** Whether the client could do it in time. */
  async #quietly(start: (done: (error?: Error | null) => void) => void): Promise<boolean> {
    const isDone = new Promise<boolean>((resolve) => start((error) => resolve(!error)));
    return within(this.#clock, LEAVE_MS, 'leaving the group', isDone).catch(() => false);
  }

  /** The client joins again by itself if the partitions are being shared out. */
  #failed(error: Error): void {
    const rebalance = (error as ClientError).findBy?.('needsRejoin', true) ?? undefined;
    if (rebalance === undefined && ++this.#failures >= MAX_FAILURES) this.#fail(error);
  }

  #call<T>(what: string, call: Promise<T>): Promise<T> {
    return within(this.#clock, CALL_MS, what, call);
  }
}

type ClientError = Error & { readonly findBy?: (property: string, value: unknown) => object | null };
