import type { Node, QoS } from 'rclnodejs';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import type { Fields } from './cdr-encoder.js';
import type { MessageType } from './message-type.js';

/** The part of rclnodejs' publisher that takes bytes. */
interface RawPublisher {
  publish(message: Buffer): void;
}

export interface PublisherOptions {
  /** Keeps the last message for whoever subscribes later (transient local). Default: false. */
  readonly latched?: boolean;
  /** Messages kept for a slow reader. Default: 10. */
  readonly depth?: number;
}

const sayOnce = new WeakSet<RosSession>();

/** Publishes messages of one type; one that cannot be published is logged and disturbs nobody. */
export class NodePublisher {
  #failures = 0;

  private constructor(
    private readonly topic: string,
    private readonly type: MessageType,
    private readonly publisher: RawPublisher | undefined,
    private readonly session: RosSession,
    private readonly logger: Logger,
  ) {}

  /**
   * Where the type support is missing (the messages of this package are not built, or their workspace is not
   * sourced) the node goes without the topic, and says so.
   */
  static create(
    session: RosSession,
    type: MessageType,
    topic: string,
    logger: Logger,
    options: PublisherOptions = {},
  ): NodePublisher {
    let publisher: RawPublisher | undefined;
    try {
      publisher = session.change(
        (node: Node) =>
          node.createPublisher(type.stub as never, topic, {
            qos: qosOf(session, options),
          }) as unknown as RawPublisher,
      );
    } catch (error) {
      // Said in full once: what is missing is the package, not the one type.
      const said = sayOnce.has(session);
      sayOnce.add(session);
      logger[said ? 'debug' : 'warn'](
        'topics are not published: their types are not found; build this package with colcon and source it',
        { topic, type: type.name, error: describeError(error) },
      );
    }
    return new NodePublisher(topic, type, publisher, session, logger);
  }

  publish(fields: Fields): void {
    if (this.publisher === undefined || this.session.isClosed) return;
    try {
      this.publisher.publish(this.type.encode(fields));
    } catch (error) {
      this.#failures++;
      if (!/^10*$/.test(String(this.#failures))) return;
      this.logger.warn('a message could not be published', {
        topic: this.topic,
        failures: this.#failures,
        error: describeError(error),
      });
    }
  }
}

function qosOf({ rcl }: RosSession, { latched = false, depth = 10 }: PublisherOptions): QoS {
  const { HistoryPolicy, ReliabilityPolicy, DurabilityPolicy } = rcl.QoS;
  return new rcl.QoS(
    HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
    depth,
    ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE,
    latched
      ? DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL
      : DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_VOLATILE,
  );
}
