import type { Node } from 'rclnodejs';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { defaultQos, type Qos } from '../../core/ros/qos.js';
import { publisherQos } from '../../sources/ros/publisher-qos.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import type { Fields } from './cdr-encoder.js';
import type { MessageType } from './message-type.js';

/** The part of rclnodejs' publisher that takes bytes. */
interface RawPublisher {
  publish(message: Buffer): void;
}

const sayOnce = new WeakSet<RosSession>();

/** Publishes messages of one type; a failure to publish is logged and affects nothing else. */
export class NodePublisher {
  #failures = 0;

  readonly #topic: string;
  readonly #type: MessageType;
  readonly #publisher: RawPublisher | undefined;
  readonly #session: RosSession;
  readonly #logger: Logger;

  private constructor(
    topic: string,
    type: MessageType,
    publisher: RawPublisher | undefined,
    session: RosSession,
    logger: Logger,
  ) {
    this.#topic = topic;
    this.#type = type;
    this.#publisher = publisher;
    this.#session = session;
    this.#logger = logger;
  }

  /**
   * If the type support is missing (the messages of this package are not built, or their workspace is not
   * sourced), the node runs without the topic, and logs that.
   */
  static create(
    session: RosSession,
    type: MessageType,
    topic: string,
    logger: Logger,
    qos: Qos = defaultQos,
  ): NodePublisher {
    let publisher: RawPublisher | undefined;
    try {
      publisher = session.change(
        (node: Node) =>
          node.createPublisher(type.typeSupportClass as never, topic, {
            qos: publisherQos(session.rcl, qos),
          }) as unknown as RawPublisher,
      );
    } catch (error) {
      // Logged in full once: the whole package is missing, not one type.
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
    if (this.#publisher === undefined || this.#session.isClosed) return;
    try {
      this.#publisher.publish(this.#type.encode(fields));
    } catch (error) {
      this.#failures++;
      if (!/^10*$/.test(String(this.#failures))) return;
      this.#logger.warn('a message could not be published', {
        topic: this.#topic,
        failures: this.#failures,
        error: describeError(error),
      });
    }
  }
}
