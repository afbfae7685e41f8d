import { defined } from '../../../src/core/defined.js';
import type { SourceEvent } from '../../../src/core/source.js';
import { DomainRecorder } from '../../../src/sources/ros/domain-recorder.js';
import type {
  ReceiveRequest,
  Receiver,
  ReceiverDrop,
  ReceiverSubscription,
} from '../../../src/sources/ros/receiver.js';
import type { StaticTopic } from '../../../src/sources/ros/static-topics.js';
import { recordingLogger } from '../../../src/testing/source-probe.js';
import { SimulatedClock } from '../../support/simulated-clock.js';

export const STRING = 'std_msgs/msg/String';
export const UNKNOWN = { node: '_NODE_NAME_UNKNOWN_', namespace: '_NODE_NAMESPACE_UNKNOWN_' };
/** A publisher in the graph. */
export interface Endpoint {
  readonly node: string;
  readonly namespace: string;
  readonly type?: string;
  /** Hex digits; undefined: its place among the publishers of the topic. */
  readonly gid?: string;
}

/** A graph and a middleware whose discovery happens in the order of the test. */
export class FakeRos {
  readonly topics = new Map<string, readonly Endpoint[]>();
  namespaces: readonly string[] = ['/'];
  latched = false;
  /** Seconds; what publishers offer. */
  deadline = 2_147_483_647n;
  /** Subscriptions to these bring nothing, until there is a new one. */
  readonly #stuck = new Set<object>();
  opened = 0;
  /** `topic type` of what was asked for, also where it was refused. */
  readonly asked: string[] = [];
  readonly #open = new Map<object, { key: string; onMessage: (data: Buffer) => void }>();

  readonly node = {
    getFullyQualifiedName: () => '/holdfast_recorder_source',
    getTopicNamesAndTypes: () => [...this.topics.keys()].map((name) => ({ name, types: [] })),
    countPublishers: (topic: string) => this.topics.get(topic)?.length ?? 0,
    getNodeNamesAndNamespaces: () => this.namespaces.map((namespace) => ({ name: 'n', namespace })),
    getPublishersInfoByTopic: (topic: string) =>
      (this.topics.get(topic) ?? []).map((endpoint, index) => this.#info(endpoint, index)),
    createSubscription: (
      typeClass: { type(): { pkgName: string; subFolder: string; interfaceName: string } },
      topic: string,
      _options: object,
      onMessage: (data: Buffer) => void,
    ) => {
      const { pkgName, subFolder, interfaceName } = typeClass.type();
      const key = `${topic} ${pkgName}/${subFolder}/${interfaceName}`;
      this.asked.push(key);
      const subscription = { handle: ++this.opened };
      this.#open.set(subscription, { key, onMessage });
      return subscription;
    },
    destroySubscription: (subscription: object) => this.#open.delete(subscription),
  };

  publish(topic: string, text: string, type = STRING): void {
    for (const [subscription, { key, onMessage }] of this.#open) {
      if (key === `${topic} ${type}` && !this.#stuck.has(subscription)) onMessage(Buffer.from(text));
    }
  }

  /** No subscription that is there now brings anything any more, though publishers publish. */
  stick(): void {
    for (const subscription of this.#open.keys()) this.#stuck.add(subscription);
  }

  #info({ node, namespace, type = STRING, gid }: Endpoint, index: number): object {
    const forever = { seconds: 2_147_483_647n, nanoseconds: 0 };
    return {
      node_name: node,
      node_namespace: namespace,
      topic_type: type,
      endpoint_gid: gid === undefined ? [index] : [...Buffer.from(gid, 'hex')],
      qos_profile: {
        ...{ depth: 1, history: 1, durability: this.latched ? 1 : 2, reliability: 1, liveliness: 1 },
        ...{
          lifespan: forever,
          deadline: { seconds: this.deadline, nanoseconds: 0 },
          liveliness_lease_duration: forever,
        },
        avoid_ros_namespace_conventions: false,
      },
    };
  }
}

class FakeQos {
  readonly policies: readonly unknown[];

  constructor(...policies: readonly unknown[]) {
    this.policies = policies;
  }
}

/** A receiver that says who published each message, as the native one does. */
export class TellingReceiver implements Receiver {
  readonly kind = 'native';
  readonly ordersPredecessor = true;
  readonly #requests = new Set<ReceiveRequest>();

  subscribe(_node: unknown, request: ReceiveRequest): ReceiverSubscription {
    this.#requests.add(request);
    return { drain: () => 0, destroy: () => this.#requests.delete(request) };
  }

  /** @param publisher - Hex digits of its identifier. */
  publish(topic: string, text: string, publisher: string): void {
    for (const { topic: its, onMessage } of [...this.#requests]) {
      const info = { receivedAt: 1n, publishedAt: 1n, publisher };
      if (its === topic) onMessage(Buffer.from(text), info);
    }
  }

  drop(topic: string, drop: ReceiverDrop): void {
    for (const { topic: its, onDropped } of this.#requests) if (its === topic) onDropped(drop);
  }

  review(): void {
    // It needs none.
  }

  close(): void {
    this.#requests.clear();
  }
}

/** A recorder of one domain with a fake graph. */
export function setUp(
  options: {
    auto?: boolean;
    oneTypePerTopic?: boolean;
    useSimTime?: boolean;
    receiver?: Receiver;
    staticTopics?: readonly StaticTopic[];
    wanted?: () => boolean;
    excludeNodes?: readonly RegExp[];
  } = {},
) {
  const ros = new FakeRos();
  const events: SourceEvent[] = [];
  const clock = new SimulatedClock();
  const session = {
    node: ros.node,
    ros: { rcl: { QoS: FakeQos }, native: { rclTakeRaw: () => undefined }, distro: 'jazzy' },
    rcl: { QoS: FakeQos },
    domainId: 0,
    isClosed: false,
    create: (work: (node: unknown) => unknown) => work(ros.node),
    change: (work: (node: unknown) => unknown) => work(ros.node),
  };
  const recorder = new DomainRecorder({
    session: session as never,
    ...defined({ receiver: options.receiver }),
    rules: {
      ...{
        wanted: options.wanted ?? (() => true),
        includeNodes: [],
        excludeNodes: options.excludeNodes ?? [/^\/tool$/],
      },
      ...{ hidden: false, services: false, actions: false, own: false },
      isOwnNode: (name) => name === 'holdfast_recorder',
    },
    robots:
      options.auto === false
        ? { kind: 'by-topic', robotOf: () => 'r' }
        : { kind: 'namespaces', namespaces: 'auto', global: 'concerned' },
    depthOf: () => 0,
    overrides: new Map(),
    staticTopics: options.staticTopics ?? [],
    useSimTime: options.useSimTime ?? false,
    tellsLoss: false,
    oneTypePerTopic: options.oneTypePerTopic ?? false,
    pollMs: 100,
    silence: { silentAfterMs: 10_000, periods: 10 },
    definitions: {
      schemaOf: () => Promise.resolve({ name: STRING, encoding: 'ros2msg', data: Buffer.from('x') }),
    } as never,
    clock,
    logger: recordingLogger([]),
    emit: (event) => events.push(event),
  });
  /** `robot topic text` of every message so far. */
  const messages = (): string[] =>
    events.flatMap((event) =>
      event.kind === 'message'
        ? [`${event.channel.robot} ${event.channel.topic} ${Buffer.from(event.data).toString()}`]
        : [],
    );
  const poll = async (afterMs = 100): Promise<void> => {
    clock.pass(afterMs);
    await recorder.poll();
  };
  /** Publishes ten times a second. */
  const steadily = async (topic: string, seconds: number, text = 'x'): Promise<void> => {
    for (let tick = 0; tick < 10 * seconds; tick++) {
      ros.publish(topic, text);
      await poll();
    }
  };
  const silence = async (seconds: number): Promise<void> => {
    for (let tick = 0; tick < 10 * seconds; tick++) await poll();
  };
  /** `robot topic reason first..last` of every gap, in seconds. */
  const gaps = (): string[] =>
    events.flatMap((event) => {
      if (event.kind !== 'gap') return [];
      const { robot, topic, reason, firstTime = 0n, lastTime = 0n } = event.gap;
      return [`${robot} ${topic} ${reason} ${Number(firstTime) / 1e9}..${Number(lastTime) / 1e9}`];
    });
  return { ros, gaps, steadily, silence, recorder, events, messages, poll };
}

/** The publisher of a node in this namespace. */
export const driver = (namespace: string): Endpoint => ({ node: 'driver', namespace });
