import { kafkaNumbering } from '../../core/kafka-identity.js';
import { onAbort } from '../../core/on-abort.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { GapCollector } from '../gap-collector.js';
import { settledBefore } from '../source-runner.js';
import { fetchedBatches } from './fetched-records.js';
import { partitionsOf, type GroupMember, type PartitionRange, type TopicFacts } from './group-member.js';
import { KafkaChannels } from './kafka-channels.js';
import type { KafkaSourceOptions } from './kafka-options.js';
import type { KafkaStats } from './kafka-stats.js';
import { PartitionOffsets } from './partition-offsets.js';
import { RecordIntake, type ReadPartition } from './record-intake.js';

const COMMIT_INTERVAL_MS = 500;
const TOPICS_INTERVAL_MS = 30_000;
/** A message that the recorder dropped without a commit (it was paused) is fetched again after this time. */
const AGAIN_MS = 60_000;
const NS_PER_MS = 1_000_000;

export interface ReadingParts {
  readonly options: KafkaSourceOptions;
  readonly context: SourceContext;
  readonly emit: (event: SourceEvent) => void;
  readonly stats: KafkaStats;
  readonly signal: AbortSignal;
  /** A broker has answered a fetch. */
  readonly onFetched: () => void;
}

/** Reads the partitions that the group gives to this recorder, over any number of memberships. */
export class GroupReading {
  readonly #parts: ReadingParts;
  readonly #channels: KafkaChannels;
  readonly #gaps: GapCollector;
  readonly #intake: RecordIntake;
  /** By numbering. */
  readonly #offsets = new Map<string, PartitionOffsets>();
  /** By numbering; of the present membership. */
  #owned = new Map<string, ReadPartition>();
  #committing: Promise<void> | undefined;
  #whenSettled: (() => void) | undefined;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
    const { options, context, emit, stats } = parts;
    this.#channels = new KafkaChannels(context, emit);
    this.#gaps = new GapCollector(context.clock, emit);
    this.#intake = new RecordIntake({
      ...{ options, context, emit, stats, channels: this.#channels, gaps: this.#gaps },
    });
    stats.unacknowledged = () => [...this.#offsets.values()].reduce((sum, { pending }) => sum + pending, 0);
  }

  wantedChanged(): void {
    this.#channels.wantedChanged();
  }

  /** Reads until the signal aborts. Throws when the membership is of no use any more. */
  async read(member: GroupMember): Promise<void> {
    const { context, signal } = this.#parts;
    const { clock } = context;
    this.#owned = new Map();
    const failures: Error[] = [];
    let round = new AbortController();
    const fail = (error: Error): void => {
      failures.push(error);
      round.abort();
    };
    member.listen(() => round.abort(), fail);
    const timers = [
      clock.every(COMMIT_INTERVAL_MS, () => {
        if (this.#committing === undefined) void this.commit(member);
        this.#gaps.flush();
      }),
      clock.every(TOPICS_INTERVAL_MS, () => void this.#checkTopics(member).catch(fail)),
    ];
    const unlisten = onAbort(signal, () => round.abort());
    try {
      while (!signal.aborted && failures.length === 0) {
        round = new AbortController();
        await this.#round(member, round).catch(fail);
      }
      if (failures[0] !== undefined && !signal.aborted) throw failures[0];
    } finally {
      unlisten();
      for (const timer of timers) timer.cancel();
      this.#gaps.flush();
    }
  }

  /** Stores the offsets up to which everything is durable. */
  async commit(member: GroupMember): Promise<void> {
    await this.#committing;
    const marks = [...this.#owned.values()]
      .map((one) => ({ ...one, offset: one.offsets.settled }))
      .filter(({ offsets, offset }) => offsets.committed !== offset);
    if (marks.length === 0) return;
    this.#committing = member.commit(marks).then((isStored) => {
      this.#committing = undefined;
      if (isStored) for (const { offsets, offset } of marks) offsets.committed = offset;
    });
    await this.#committing;
  }

  /** Resolves when every message that was taken is durable. */
  settled(): Promise<void> {
    if (this.#parts.stats.unacknowledged() === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#whenSettled = resolve));
  }

  /** One sharing-out of the partitions. */
  async #round(member: GroupMember, round: AbortController): Promise<void> {
    const { signal } = round;
    const topics = await member.topics();
    const partitions = await this.#own(member, topics);
    if (signal.aborted) return;
    const lanes = new Map<number, ReadPartition[]>();
    for (const one of partitions) {
      const leader = topics.get(one.topic)?.partitions[one.partition]?.leader ?? -1;
      lanes.set(leader, [...(lanes.get(leader) ?? []), one]);
    }
    if (lanes.size === 0) await new Promise<void>((resolve) => onAbort(signal, resolve));
    // One that fails ends the others.
    await Promise.all([...lanes].map(([node, own]) => this.#lane(member, node, own, round)));
  }

  /** The partitions of this recorder, each at its position. */
  async #own(member: GroupMember, topics: ReadonlyMap<string, TopicFacts>): Promise<ReadPartition[]> {
    const before = this.#owned;
    const owned = new Map<string, ReadPartition>();
    const added: ReadPartition[] = [];
    for (const { topic, partition } of member.assigned) {
      const facts = topics.get(topic);
      if (facts === undefined) continue;
      const numbering = kafkaNumbering({ topic, topicId: facts.id, partition });
      const known = before.get(numbering);
      const offsets = this.#offsets.get(numbering) ?? new PartitionOffsets(() => this.#acknowledged());
      this.#offsets.set(numbering, offsets);
      const own = known ?? { topic, topicId: facts.id, partition, offsets };
      owned.set(numbering, own);
      if (known === undefined) added.push(own);
    }
    if (added.length > 0) {
      const ranges = await member.rangesOf(added);
      added.forEach((one, index) => this.#begin(one, ranges[index]!));
    }
    this.#owned = owned;
    for (const one of this.#offsets.keys()) if (!owned.has(one)) this.#offsets.delete(one);
    this.#parts.stats.keepOnly(new Set(owned.keys()));
    return [...owned.values()];
  }

  #begin(partition: ReadPartition, { committed, earliest, latest }: PartitionRange): void {
    const { options, emit, context } = this.#parts;
    const { offsets, topic } = partition;
    offsets.committed = committed;
    const start = committed ?? (options.from === 'earliest' ? earliest : latest);
    offsets.begin(Math.min(Math.max(start, earliest), latest));
    if (start > latest) {
      const facts = { topic, partition: partition.partition, committed: start, last: latest };
      context.logger.warn('the cluster has lost messages that were read already', facts);
    }
    if (start >= earliest) return;
    emit({
      kind: 'gap',
      numberedIn: kafkaNumbering(partition),
      gap: {
        reason: 'missed_while_down',
        robot: context.robotOf(topic),
        topic,
        count: earliest - start,
        firstSourceSequence: start,
        lastSourceSequence: earliest - 1,
        detail: `the cluster deleted offsets ${start} to ${earliest - 1} of partition ${partition.partition} of ${topic} before they were read`,
      },
    });
  }

  /** Takes the records of the partitions that one broker leads, until the round ends. */
  async #lane(
    member: GroupMember,
    node: number,
    partitions: readonly ReadPartition[],
    round: AbortController,
  ): Promise<void> {
    const { signal } = round;
    try {
      while (await this.#ready(signal)) {
        for (const one of partitions) this.#fetchAgain(one);
        const positions = partitions.map((one) => ({ ...one, next: one.offsets.next }));
        const answer = member.fetch(node, positions);
        if (!(await settledBefore(answer, signal))) return;
        this.#parts.onFetched();
        for (const { topicId, fetched } of await answer) {
          const own = partitions.find(
            (one) => one.topicId === topicId && one.partition === fetched.partitionIndex,
          );
          if (own !== undefined && !(await this.#take(own, fetched, signal))) return;
        }
      }
    } finally {
      round.abort();
    }
  }

  /** Takes what was fetched of a partition; false: the round has ended. */
  async #take(
    partition: ReadPartition,
    fetched: Parameters<typeof fetchedBatches>[0],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { offsets } = partition;
    for (const { records, lastOffset } of fetchedBatches(fetched)) {
      for (const record of records) {
        const isReady = !signal.aborted && this.#parts.context.flow.whenReady() === undefined;
        if (!isReady && !(await this.#ready(signal))) return false;
        this.#intake.take(partition, record);
      }
      offsets.passed(lastOffset);
    }
    this.#parts.stats.lag(kafkaNumbering(partition), Number(fetched.highWatermark) - offsets.next);
    return true;
  }

  /** Waits until the recorder takes messages; false: the round has ended. */
  async #ready(signal: AbortSignal): Promise<boolean> {
    for (;;) {
      if (signal.aborted) return false;
      const ready = this.#parts.context.flow.whenReady();
      if (ready === undefined) return true;
      if (!(await settledBefore(ready, signal))) return false;
    }
  }

  #fetchAgain({ offsets }: ReadPartition): void {
    const { oldestAt } = offsets;
    const now = this.#parts.context.clock.monotonic();
    if (oldestAt !== undefined && Number(now - oldestAt) > AGAIN_MS * NS_PER_MS)
      offsets.begin(offsets.settled);
  }

  /** New partitions are shared out only when a member joins again. */
  async #checkTopics(member: GroupMember): Promise<void> {
    const count = partitionsOf(await member.topics());
    if (count === member.partitions) return;
    throw new Error(`the topics have ${count} partitions now`);
  }

  #acknowledged(): void {
    if (this.#whenSettled !== undefined && this.#parts.stats.unacknowledged() === 0) this.#whenSettled();
  }
}
