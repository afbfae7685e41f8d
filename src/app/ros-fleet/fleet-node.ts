import type { Context, Node } from 'rclnodejs';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import type { Generator, SimChannel } from '../../simulation/generator.js';
import { typeSupportClass } from '../../sources/ros/type-support-class.js';
import { Pacer } from '../../sources/pacer.js';
import type { SimPlan } from '../../sources/sim/sim-options.js';
import { readQos } from './read-qos.js';

/** Messages published on one topic. */
export interface PublishedTopic {
  readonly type: string;
  readonly count: number;
  /** Stamps of the first and last message, nanoseconds since the Unix epoch, decimal; absent: none. */
  readonly first?: string;
  readonly last?: string;
}

export interface FleetNodePorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `/robot1/sim_robot`. */
const ROBOT_NODE = 'sim_robot';

/** rclnodejs' types omit the last two. */
type NodeConstructor = new (
  name: string,
  namespace: string,
  context: Context,
  options: object,
  args: readonly string[],
  useGlobalArguments: boolean,
) => Node;

interface RawPublisher {
  publish(message: Buffer): void;
}

/** Publishes a simulated fleet as ROS topics, with the same bytes that the simulator gives any other source. */
export class FleetNode {
  readonly #generator: Generator;
  readonly #publishers: readonly (RawPublisher | undefined)[];
  readonly #published: number[];
  readonly #failed = new Set<number>();

  readonly #plan: SimPlan;
  readonly #ports: FleetNodePorts;

  /** Announces every topic; {@link run} fills them. */
  constructor(session: RosSession, plan: SimPlan, ports: FleetNodePorts) {
    this.#plan = plan;
    this.#ports = ports;
    this.#generator = plan.generator(ports.clock.now());
    const { channels } = this.#generator;
    this.#published = channels.map(() => 0);
    const nodes = new Map<string, Node>();
    this.#publishers = channels.map((channel) => {
      const robot = channel.topic.split('/')[1]!;
      const node = nodes.get(robot) ?? robotNode(session, robot);
      nodes.set(robot, node);
      return this.#announce(session, node, channel);
    });
  }

  get topics(): number {
    return this.#publishers.filter((publisher) => publisher !== undefined).length;
  }

  /** Publishes until the signal aborts or the fleet's duration is over. */
  async run(signal: AbortSignal): Promise<void> {
    const generator = this.#generator;
    const pacer = new Pacer(this.#ports.clock, this.#plan.speed);
    const endUs = this.#plan.durationMs === undefined ? Infinity : this.#plan.durationMs * 1_000;
    const isPublished = (channel: number): boolean => this.#publishers[channel] !== undefined;
    while (generator.elapsedUs < endUs && (await pacer.until(generator.nextUs, signal))) {
      for (const { channel, data } of generator.step(isPublished)) this.#publish(channel, data);
    }
  }

  /** What was published, by topic. */
  ledger(): Record<string, PublishedTopic> {
    const entries = this.#generator.channels.map(({ topic, schema }, index) => {
      const stamps = this.#generator.stamps(index);
      const times = stamps && { first: String(stamps.first), last: String(stamps.last) };
      return [topic, { type: schema.name, count: this.#published[index]!, ...times }] as const;
    });
    return Object.fromEntries(entries);
  }

  /** If a type's support is not installed, the others continue without it. */
  #announce(session: RosSession, node: Node, channel: SimChannel): RawPublisher | undefined {
    try {
      const qos = readQos(session.rcl, channel.metadata['offered_qos_profiles'] ?? '');
      return node.createPublisher(typeSupportClass(channel.schema.name) as never, channel.topic, { qos });
    } catch (error) {
      this.#ports.logger.warn('a topic is not published because its type was not found', {
        topic: channel.topic,
        type: channel.schema.name,
        error: describeError(error),
      });
      return undefined;
    }
  }

  #publish(channel: number, data: Uint8Array): void {
    try {
      this.#publishers[channel]?.publish(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
      this.#published[channel]!++;
    } catch (error) {
      if (this.#failed.has(channel)) return;
      this.#failed.add(channel);
      const { topic } = this.#generator.channels[channel]!;
      this.#ports.logger.error('messages cannot be published', { topic, error: describeError(error) });
    }
  }
}

/**
 * Each robot is a node in its own namespace, as on a real robot, so that tools that look at nodes find the
 * robots.
 */
function robotNode({ rcl, context }: RosSession, robot: string): Node {
  // It only publishes and never spins: its services would not answer.
  const options = { startParameterServices: false, startTypeDescriptionService: false, enableRosout: false };
  // Arguments that rename this process's node (-r __node:=...) would rename every robot's node, so these get
  // none.
  const NodeWithoutArguments = rcl.Node as unknown as NodeConstructor;
  return new NodeWithoutArguments(ROBOT_NODE, `/${robot}`, context, options, [], false);
}
