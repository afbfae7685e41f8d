import type { Attribution } from './attribution.js';
import type { Publisher } from './endpoints.js';
import { HeldMessages } from './held-messages.js';
import { IdentityWait } from './identity-wait.js';
import type { TopicChannels } from './recorded-topic.js';
import { TopicLiveness, type SilenceRule } from './topic-liveness.js';
import type { TopicReader } from './topic-reader.js';

/** One topic and type that is recorded, or will be. */
export interface Recorded {
  readonly topic: string;
  readonly type: string;
  /** Named beforehand: its subscription stays while it has no publishers. */
  isStatic: boolean;
  publishers: readonly Publisher[];
  reader: TopicReader | undefined;
  channels: TopicChannels | undefined;
  /** Monotonic; the last failed attempt to subscribe. */
  failedAt: bigint | undefined;
  /** Wall clock; since when its messages cannot be recorded. */
  deafSince: bigint | undefined;
  /** Monotonic; since when it has no publishers. */
  goneAt: bigint | undefined;
  /** Monotonic; when a message came although no publisher was known any more. */
  revivedAt: bigint | undefined;
  /** Publishers whose names are not known yet. */
  readonly identity: IdentityWait;
  /** Messages whose robot is not known yet; undefined once it is known. */
  held: HeldMessages | undefined;
  /** Messages recorded for the known robots, while another one may join. */
  joining: HeldMessages | undefined;
  /** Tells whose its messages are; undefined: all robots of the topic get all of them. */
  attribution: Attribution | undefined;
  /** Messages of publishers that the graph has not shown yet. */
  strange: HeldMessages | undefined;
  /** Latched messages, for robots that join later. */
  readonly latest: HeldMessages;
  readonly liveness: TopicLiveness;
  /** Time of the last message, or of subscribing. */
  lastAt: bigint | undefined;
  /** While it is silent: the time up to which gaps report it. */
  toldUntil: bigint | undefined;
  /** While it is silent: the time of the first message that came again. */
  returnedAt: bigint | undefined;
}

export function newRecorded(topic: string, type: string, rule: SilenceRule): Recorded {
  return {
    topic,
    type,
    isStatic: false,
    publishers: [],
    reader: undefined,
    channels: undefined,
    failedAt: undefined,
    deafSince: undefined,
    goneAt: undefined,
    revivedAt: undefined,
    identity: new IdentityWait(),
    held: undefined,
    joining: undefined,
    attribution: undefined,
    strange: undefined,
    latest: new HeldMessages(),
    liveness: new TopicLiveness(rule),
    lastAt: undefined,
    toldUntil: undefined,
    returnedAt: undefined,
  };
}
