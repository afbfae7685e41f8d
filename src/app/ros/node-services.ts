import type { Node, QoS } from 'rclnodejs';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { guard } from '../../sources/ros/guard.js';
import type { RosSession } from '../../sources/ros/ros-session.js';

const REQUESTS_MAX = 1_000;

/** A request of rclnodejs as a plain object, and its answer. */
type Handler = (request: never, response: { send(message: object): void }) => void;

/** Answers of services that are pending: the node waits for them before it ends. */
export class NodeServices {
  readonly #pending = new Set<Promise<void>>();

  readonly #session: RosSession;
  readonly #logger: Logger;

  constructor(session: RosSession, logger: Logger) {
    this.#session = session;
    this.#logger = logger;
  }

  /**
   * Serves requests of any type. Every request is answered: an error of `answer` becomes the answer made by
   * `refusal`. If the type is missing, the node runs without the service, and logs that.
   */
  serve(
    type: string | object,
    name: string,
    answer: (request: never) => Promise<object> | object,
    refusal: (error: unknown) => object,
  ): void {
    const handler: Handler = (request, response) => {
      const work = Promise.resolve()
        .then(() => answer(request))
        .catch((error: unknown) => {
          this.#logger.warn('a service refused', { service: name, reason: describeError(error) });
          return refusal(error);
        })
        .then((message) => {
          // Afterwards the native part has nothing to answer with.
          if (!this.#session.isClosed) response.send(message);
        })
        .catch((error: unknown) => {
          this.#logger.warn('a service response could not be sent', {
            service: name,
            error: describeError(error),
          });
        })
        .finally(() => this.#pending.delete(work));
      this.#pending.add(work);
    };
    try {
      this.#session.change((node: Node): unknown =>
        node.createService(
          type as never,
          name,
          { qos: queueOfRequests(this.#session) },
          guard(name, handler, this.#logger) as never,
        ),
      );
    } catch (error) {
      this.#logger.warn('a service could not be created', { service: name, error: describeError(error) });
    }
  }

  /** A `std_srvs/srv/Trigger`; `act` returns the message of the answer. */
  trigger(name: string, act: () => Promise<string> | string): void {
    this.serve(
      'std_srvs/srv/Trigger',
      name,
      async () => ({ success: true, message: await act() }),
      (error) => ({ success: false, message: reasonOf(error) }),
    );
  }

  /** Resolves when every request received so far is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}

/**
 * ROS keeps ten requests of a service and silently overwrites the rest; rclnodejs takes one per turn, so a
 * few concurrent clients would be enough for that.
 */
function queueOfRequests({ rcl }: RosSession): QoS {
  const { HistoryPolicy, ReliabilityPolicy, DurabilityPolicy } = rcl.QoS;
  return new rcl.QoS(
    HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
    REQUESTS_MAX,
    ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE,
    DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_VOLATILE,
  );
}

/** `STATE_REFUSED: ...`, as on the command line. */
export function reasonOf(error: unknown): string {
  return isHoldfastError(error) ? `${error.code}: ${describeError(error)}` : describeError(error);
}
