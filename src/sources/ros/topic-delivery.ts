import type { Clock } from '../../core/clock.js';
import type { Channel } from '../../core/message.js';
import type { SourceEvent } from '../../core/source.js';
import { Attribution } from './attribution.js';
import { isUnidentified } from './endpoints.js';
import { HeldMessages, HoldBudget, type HeldMessage } from './held-messages.js';
import type { Problems } from './problems.js';
import type { MessageInfo } from './receiver.js';
import type { Recorded } from './recorded.js';
import { RANK, decideRobots, type RobotDecision, type RobotRule } from './robots-of-topic.js';
import { whyNotRecorded, type TopicRules } from './topic-choice.js';

export interface DeliveryParts {
  readonly rules: TopicRules;
  readonly robots: RobotRule;
  readonly clock: Clock;
  readonly problems: Problems;
  readonly emit: (event: SourceEvent) => void;
  /** A message came of a publisher that is not known (any more): the graph is worth a look. */
  readonly onStranger: (one: Recorded) => void;
}

/** Passes the messages of a topic to its robots; holds them while these are not known. */
export class TopicDelivery {
  readonly #parts: DeliveryParts;
  readonly #budget = new HoldBudget();
  /** Namespaces of all nodes in the graph. */
  namespaces: readonly string[] = [];
  /** The last `/clock`; undefined without simulated time. */
  simTime: bigint | undefined;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** The present time for stamps of messages. */
  get time(): bigint {
    return this.simTime ?? this.#parts.clock.now();
  }

  message(one: Recorded, data: Buffer, info?: MessageInfo): void {
    if (one.goneAt !== undefined) {
      // Its publisher is back before the graph was looked at, or this message was still in transit.
      one.goneAt = undefined;
      one.revivedAt = this.#parts.clock.monotonic();
      this.#parts.onStranger(one);
      if (one.isStatic && this.#needsGraph(one)) one.held ??= new HeldMessages(this.#budget);
      this.announce(one);
    }
    const at = this.simTime ?? info?.receivedAt ?? this.#parts.clock.now();
    const publishedAt = this.simTime ?? info?.publishedAt ?? at;
    one.lastAt = at;
    one.liveness.arrived();
    if (one.toldUntil !== undefined) one.returnedAt ??= at;
    const message = { data, at, publishedAt, publisher: info?.publisher, lease: info?.lease };
    if (one.held !== undefined) {
      if (hold(one.held, message)) return;
      // One flooding publisher is not waited for again.
      one.identity.giveUp();
      this.release(one);
    }
    this.#pass(one, message);
  }

  /** Holds or releases messages, by what is known about the publishers now. */
  arrange(one: Recorded, now: bigint): void {
    one.identity.update(one.publishers, now);
    if (this.#isShared(one)) one.attribution ??= new Attribution();
    else one.attribution = undefined;
    one.attribution?.update(one.publishers);
    this.#hold(one, now);
    if (one.strange === undefined || one.held !== undefined) return;
    // A robot that joins has its channel before its first message.
    this.announce(one);
    this.#passStrange(one);
  }

  #hold(one: Recorded, now: bigint): void {
    if (!one.identity.isWaiting(now)) {
      this.release(one);
      return;
    }
    const decided = this.#decidedWithoutNames(one);
    if (decided === 'no') {
      one.held ??= new HeldMessages(this.#budget);
      return;
    }
    // Nothing waits for the name of another publisher: messages are recorded, and once more for a robot that
    // joins.
    if (one.held !== undefined) this.release(one);
    if (decided === 'may grow') one.joining ??= new HeldMessages(this.#budget);
  }

  /** The robot of the topic is known, or the wait is over: releases the held messages. */
  release(one: Recorded): void {
    const { held } = one;
    one.held = undefined;
    if (held === undefined) {
      if (one.joining !== undefined) this.announce(one);
      this.#endJoining(one);
      return;
    }
    this.announce(one);
    for (const message of held.all) this.#pass(one, message);
    held.clear();
  }

  /** Releases all held messages, also those of publishers that the graph has not shown yet. */
  settle(one: Recorded): void {
    this.release(one);
    one.attribution?.giveUp();
    this.#passStrange(one);
  }

  /** The held messages are not wanted. */
  discard(one: Recorded): void {
    one.held?.clear();
    one.held = undefined;
    one.strange?.clear();
    one.strange = undefined;
    this.#endJoining(one);
  }

  announce(one: Recorded): void {
    if (one.channels === undefined || one.reader === undefined || one.goneAt !== undefined) return;
    // Its robot is not known yet.
    if (one.held !== undefined) return;
    one.attribution?.forgetRobots();
    const before = one.channels.all.map(({ robot }) => robot);
    const { appeared, gone } = one.channels.update(this.robotsOf(one), one.publishers);
    for (const channel of appeared) this.#parts.emit({ kind: 'channel', channel });
    for (const channel of gone) this.#parts.emit({ kind: 'channel-gone', channel });
    this.#tellJoined(one, before);
    if (one.channels.isUndefined) {
      const detail = `${one.type} is defined nowhere in AMENT_PREFIX_PATH`;
      this.#parts.problems.set('no-definition', one.topic, detail);
    }
  }

  /** It has no publishers any more. */
  vanish(one: Recorded): void {
    this.settle(one);
    one.latest.clear();
    for (const channel of one.channels?.vanish() ?? []) this.#parts.emit({ kind: 'channel-gone', channel });
  }

  robotsOf(one: Recorded): RobotDecision {
    return decideRobots(this.#parts.robots, {
      topic: one.topic,
      publisherNamespaces: one.publishers.filter((each) => !isUnidentified(each)).map(namespaceOf),
      nodeNamespaces: this.namespaces,
    });
  }

  /** The robots that the messages of a publisher are recorded for; those of the topic if it is not known. */
  robotsOfMessages(one: Recorded, publisher: string | undefined): readonly string[] {
    const channels = publisher === undefined ? [] : this.#channelsOf(one, publisher);
    return channels.length > 0 ? channels.map(({ robot }) => robot) : this.robotsOf(one).robots;
  }

  /** Whether the publishers with names alone decide that it is recorded, and for which robots. */
  #decidedWithoutNames({ topic, type, publishers }: Recorded): 'no' | 'may grow' | 'yes' {
    const { rules, robots } = this.#parts;
    const named = publishers.filter((each) => !isUnidentified(each));
    if (named.length === 0 || whyNotRecorded(rules, topic, type, named) !== undefined) return 'no';
    const graph = { topic, nodeNamespaces: this.namespaces };
    const byName = decideRobots(robots, { ...graph, publisherNamespaces: [] });
    if (byName.rank === RANK.own) return 'yes';
    const now = decideRobots(robots, { ...graph, publisherNamespaces: named.map(namespaceOf) });
    return now.rank === RANK.own ? 'may grow' : 'no';
  }

  /** Only its publishers tell whether it is recorded, and for which robots. */
  #needsGraph({ topic }: Recorded): boolean {
    const { rules, robots } = this.#parts;
    if (rules.includeNodes.length + rules.excludeNodes.length > 0) return true;
    const graph = { topic, nodeNamespaces: this.namespaces, publisherNamespaces: [] };
    return decideRobots(robots, graph).rank !== RANK.own;
  }

  /** Several robots may publish it, and each gets its own messages. */
  #isShared({ topic, publishers }: Recorded): boolean {
    const { robots } = this.#parts;
    if (robots.kind !== 'namespaces' || robots.global !== 'concerned') return false;
    // A publisher may appear before the list of nodes has its node.
    const named = publishers.filter((each) => !isUnidentified(each)).map(namespaceOf);
    const nodeNamespaces = [...this.namespaces, ...named];
    return decideRobots(robots, { topic, nodeNamespaces, publisherNamespaces: [] }).rank !== RANK.own;
  }

  /** Records a message, unless the graph has to show first whose it is. */
  #pass(one: Recorded, message: HeldMessage): void {
    const { attribution } = one;
    if (attribution === undefined || message.publisher === undefined) {
      if (one.joining?.add(withOwnBytes(message)) === false) {
        one.identity.giveUp();
        this.#endJoining(one);
      }
    } else if (this.#isAwaited(one, message)) {
      if (one.strange === undefined) this.#parts.onStranger(one);
      one.strange ??= new HeldMessages(this.#budget);
      if (hold(one.strange, message)) return;
      attribution.giveUp();
      this.#passStrange(one);
    }
    this.#emitTo(one, message);
  }

  #isAwaited({ attribution }: Recorded, { publisher }: HeldMessage): boolean {
    if (attribution === undefined || publisher === undefined) return false;
    return attribution.isAwaited(publisher, this.#parts.clock.monotonic());
  }

  /** Records what waited for publishers that are known now, or that were waited for long enough. */
  #passStrange(one: Recorded): void {
    const { strange } = one;
    one.strange = undefined;
    if (strange === undefined) return;
    const messages = strange.all;
    strange.clear();
    for (const message of messages) {
      const isKept = this.#isAwaited(one, message) && (one.strange ??= strange).add(message);
      if (!isKept) this.#emitTo(one, message);
    }
  }

  #channelsOf(one: Recorded, publisher: string | undefined): readonly Channel[] {
    const all = one.channels?.all ?? [];
    if (publisher === undefined || one.attribution === undefined) return all;
    return one.attribution.choose(publisher, all, (namespace) => this.#robotsIn(one, namespace));
  }

  /** The robots of the messages that the nodes of this namespace publish; empty: they belong to none. */
  #robotsIn({ topic }: Recorded, namespace: string): readonly string[] {
    const graph = { topic, nodeNamespaces: this.namespaces, publisherNamespaces: [namespace] };
    const { robots, rank } = decideRobots(this.#parts.robots, graph);
    return rank === RANK.own ? robots : [];
  }

  #emitTo(one: Recorded, message: HeldMessage): void {
    const channels = this.#channelsOf(one, message.publisher);
    const isLatched = channels[0]?.latched === true;
    if (isLatched) one.latest.keepLatest(withOwnBytes(message));
    for (const [index, channel] of channels.entries()) {
      // Each robot's recording owns its bytes. Latched messages are kept for long: they must not keep the memory of
      // other messages, which came in the same block, with them.
      const isLast = index === channels.length - 1;
      this.#emit(channel, isLast && !isLatched ? message : withOwnBytes(message));
    }
    if (isLatched || channels.length === 0) message.lease?.release();
  }

  #emit(channel: Channel, { data, at, publishedAt, lease }: HeldMessage): void {
    this.#parts.emit({ kind: 'message', channel, data, receivedAt: at, publishedAt, lease });
  }

  /**
   * A robot that joins receives what the others have of a latched topic, or what came while its name was
   * awaited.
   */
  #tellJoined(one: Recorded, before: readonly string[]): void {
    if (before.length === 0) return;
    for (const channel of one.channels?.all ?? []) {
      if (before.includes(channel.robot)) continue;
      const kept = channel.latched ? one.latest : one.joining;
      for (const message of kept?.all ?? []) {
        if (this.#channelsOf(one, message.publisher).includes(channel))
          this.#emit(channel, withOwnBytes(message));
      }
    }
  }

  #endJoining(one: Recorded): void {
    one.joining?.clear();
    one.joining = undefined;
  }
}

function withOwnBytes({ data, at, publishedAt, publisher }: HeldMessage): HeldMessage {
  return { data: Buffer.from(data), at, publishedAt, publisher };
}

/** False: there is no room for it. */
function hold(held: HeldMessages, message: HeldMessage): boolean {
  const isHeld = held.add(withOwnBytes(message));
  if (isHeld) message.lease?.release();
  return isHeld;
}

function namespaceOf({ namespace }: { readonly namespace: string }): string {
  return namespace;
}
