import type { Context, Node } from 'rclnodejs';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import type { Generator, SimChannel } from '../../sources/sim/generator.js';
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

/** rclnodejs' types leave out the last two. */
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

/** Publishes a simulated fleet as topics of ROS: the bytes are those the simulator gives any other source. */
export class FleetNode {
  readonly #generator: Generator;
  readonly #publishers: readonly (RawPublisher | undefined)[];
  readonly #published: number[];
  readonly #failed = new Set<number>();

  /** Announces every topic; {@link run} fills them. */
  constructor(
    session: RosSession,
    private readonly plan: SimPlan,
    private readonly ports: FleetNodePorts,
  ) {
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

  /** Publishes until the signal comes or the fleet's duration is over. */
  async run(signal: AbortSignal): Promise<void> {
    const generator = this.#generator;
    const pacer = new Pacer(this.ports.clock, this.plan.speed);
    const endUs = this.plan.durationMs === undefined ? Infinity : this.plan.durationMs * 1_000;
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

  /** Where a type's support is not installed the others go on without it. */
  #announce(session: RosSession, node: Node, channel: SimChannel): RawPublisher | undefined {
    try {
      const qos = readQos(session.rcl, channel.metadata['offered_qos_profiles'] ?? '');
      return node.createPublisher(stubOf(channel.schema.name) as never, channel.topic, {
        qos,
      }) as unknown as RawPublisher;
    } catch (error) {
      this.ports.logger.warn('a topic is not published: its type is not found', {
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
      this.ports.logger.error('messages cannot be published', { topic, error: describeError(error) });
    }
  }
}

/** Each robot is a node in its own namespace, as on a real one, so that who looks at nodes finds the robots. */
function robotNode({ rcl, context }: RosSession, robot: string): Node {
  // It only publishes and is never spun: a service of it would not answer.
  const options = { startParameterServices: false, startTypeDescriptionService: false, enableRosout: false };
  // What renames this process' node (-r __node:=...) would rename every robot's: so no arguments for these.
  const NodeWithoutArguments = rcl.Node as unknown as NodeConstructor;
  return new NodeWithoutArguments(ROBOT_NODE, `/${robot}`, context, options, [], false);
}

/** All that publishing bytes takes of a type: its names, for the C type support. */
function stubOf(type: string): unknown {
  const [pkgName, subFolder, interfaceName] = type.split('/');
  // rclnodejs tells types from other arguments by their being functions.
  return class {
    static type(): object {
      return { pkgName, subFolder, interfaceName };
    }
  };
}
