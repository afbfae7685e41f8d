import { defined } from '../../core/defined.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { isLatched } from '../../core/mcap/carried.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import type { MessageFilter } from '../../recordings/message-filter.js';
import type { Problem, Segment } from '../../recordings/segments.js';
import { ChannelDecoders } from './channel-decoder.js';
import { isInScope, type CheckRule, type TopicName } from './check-rule.js';
import { FindingLedger, type CheckFinding, type Subject } from './finding-ledger.js';
import { decodingChecks, openTopicCheck, paceChecks, recordingChecks } from './open-topic-check.js';
import { checkRecording } from './recording-checks.js';
import { RecordingFacts, type TopicFacts } from './recording-facts.js';
import type { TopicCheck } from './topic-check.js';

export interface CheckRequest {
  readonly segments: readonly Segment[];
  readonly rules: readonly CheckRule[];
  readonly filter: MessageFilter;
  /** Robot of recordings that do not name one; default: the topic's first part. */
  readonly robotName?: string;
  readonly onProblem?: (problem: Problem) => void;
  /** Segments opened so far. */
  readonly onProgress?: (opened: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface CheckReport {
  /** No error was found. */
  readonly ok: boolean;
  readonly errors: number;
  readonly warnings: number;
  /** Errors first, each by time; bounded. See `errors` and `warnings` for their numbers. */
  readonly findings: readonly CheckFinding[];
  readonly subjects: readonly Subject[];
  readonly messages: number;
  readonly topics: number;
  readonly robots: readonly string[];
  /** Log times checked, decimal nanoseconds since the Unix epoch. */
  readonly from?: string;
  readonly to?: string;
  /** Topics whose messages were only counted, and why. */
  readonly undecoded: readonly { readonly robot: string; readonly topic: string; readonly reason: string }[];
}

/** Applies the rules to the wanted messages of all segments, within bounded memory. */
export async function runCheck(request: CheckRequest): Promise<CheckReport> {
  const { segments, rules, filter, signal } = request;
  const ledger = new FindingLedger();
  const facts = new RecordingFacts(filter);
  const topics = new TopicWatches(rules, ledger, facts, request.robotName);
  let from: bigint | undefined;
  let to: bigint | undefined;
  let messages = 0;
  let opened = 0;
  const runs = mergeRuns(segments, {
    filter,
    onProblem: (problem) => {
      facts.problem(problem);
      request.onProblem?.(problem);
    },
    onOpen: async (reader, segment) => {
      request.onProgress?.(++opened, segments.length);
      await facts.opened(reader, segment, segment.robot ?? request.robotName ?? '');
    },
    ...defined({ signal }),
  });
  for await (const { messages: run, robot } of runs) {
    signal?.throwIfAborted();
    for (const message of run) {
      const { channel, logTime } = message;
      const watch = topics.of(channel, robot);
      // A carried message existed before; it has neither a rate nor a time of its own.
      if (channel.carried) {
        watch.facts.messages++;
        continue;
      }
      from ??= logTime;
      to = logTime;
      messages++;
      watch.message(message);
    }
  }
  topics.end(to ?? 0n);
  for (const rule of rules) {
    if (!recordingChecks.has(rule.check)) continue;
    ledger.subject(rule, '');
    checkRecording(rule, facts, ({ robot, topic }, found) =>
      ledger.add(ledger.subject(rule, robot, topic), found),
    );
  }
  return {
    ok: ledger.errors === 0,
    errors: ledger.errors,
    warnings: ledger.warnings,
    findings: ledger.findings(),
    subjects: ledger.subjects(),
    messages,
    topics: facts.topics.length,
    robots: [...new Set(facts.topics.map(({ robot }) => robot))].filter((robot) => robot !== '').sort(),
    ...(from === undefined ? {} : { from: String(from) }),
    ...(to === undefined ? {} : { to: String(to) }),
    undecoded: topics.undecoded,
  };
}

/** One topic of one robot, with every check of it. */
interface TopicWatch {
  readonly facts: TopicFacts;
  readonly checks: readonly TopicCheck[];
  readonly decode: boolean;
  /** Receives the offset of a stamp, nanoseconds. */
  readonly offset: ((ns: number) => void) | undefined;
}

/** The same for one channel of one file. */
interface ChannelWatch {
  readonly facts: TopicFacts;
  message(message: McapMessage): void;
}

class TopicWatches {
  readonly undecoded: { robot: string; topic: string; reason: string }[] = [];
  readonly #byChannel = new WeakMap<McapChannel, ChannelWatch>();
  readonly #byName = new Map<string, TopicWatch>();
  readonly #decoders = new ChannelDecoders();

  constructor(
    readonly rules: readonly CheckRule[],
    readonly ledger: FindingLedger,
    readonly facts: RecordingFacts,
    readonly robotName: string | undefined,
  ) {}

  /** Every file has its own channel objects, so the robot is that of the file. */
  of(channel: McapChannel, robot: string | undefined): ChannelWatch {
    let watch = this.#byChannel.get(channel);
    if (watch === undefined) this.#byChannel.set(channel, (watch = this.#channelWatch(channel, robot)));
    return watch;
  }

  end(until: bigint): void {
    for (const { checks } of this.#byName.values()) for (const check of checks) check.end(until);
  }

  #channelWatch(channel: McapChannel, said: string | undefined): ChannelWatch {
    const { topic } = channel;
    const robot = said ?? this.robotName ?? /^\/([^/]+)\//.exec(topic)?.[1] ?? '';
    const { facts, checks, decode, offset } = this.#topicWatch(
      { robot, topic, type: channel.schema.name },
      channel,
    );
    const decoder = this.#decoders.of(channel, decode);
    if (
      decoder.undecodable !== undefined &&
      !this.undecoded.some((one) => one.topic === topic && one.robot === robot)
    ) {
      this.undecoded.push({ robot, topic, reason: decoder.undecodable });
    }
    return {
      facts,
      message(message) {
        facts.messages++;
        const seen = decoder.decode(message);
        if (seen.stamp !== undefined) offset?.(Number(seen.logTime - seen.stamp));
        for (const check of checks) check.message(seen);
      },
    };
  }

  #topicWatch(name: TopicName, channel: McapChannel): TopicWatch {
    const key = JSON.stringify([name.robot, name.topic, name.type]);
    const known = this.#byName.get(key);
    if (known !== undefined) return known;
    const facts = { ...name, messages: 0 };
    this.facts.topics.push(facts);
    const latched = isLatched(channel);
    const rules = this.rules.filter(
      (rule) => isInScope(rule.scope, name) && !(latched && paceChecks.has(rule.check)),
    );
    const checks = rules.flatMap((rule) => {
      if (recordingChecks.has(rule.check)) return [];
      const subject = this.ledger.subject(rule, name.robot, name.topic);
      return openTopicCheck(rule, (found) => this.ledger.add(subject, found)) ?? [];
    });
    const watch: TopicWatch = {
      facts,
      checks,
      decode: rules.some(({ check }) => decodingChecks.has(check)),
      offset: rules.some(({ check }) => check === 'time_sync')
        ? (ns) => this.facts.offsetsOf(name).add(ns)
        : undefined,
    };
    this.#byName.set(key, watch);
    return watch;
  }
}
