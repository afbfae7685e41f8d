import type { Node, QoS } from 'rclnodejs';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { guard } from '../../sources/ros/guard.js';
import type { RosSession } from '../../sources/ros/ros-session.js';

const REQUESTS_MAX = 1_000;

/** A request of rclnodejs as a plain object, and what answers it. */
type Handler = (request: never, response: { send(message: object): void }) => void;

/** Answers of services that are still worked on: the node waits for them before it goes. */
export class NodeServices {
  readonly #pending = new Set<Promise<void>>();

  constructor(
    private readonly session: RosSession,
    private readonly logger: Logger,
  ) {}

  /**
   * Serves requests of any type. Every request is answered: what `answer` throws or rejects becomes the answer
   * `refusal` makes of it. Where the type is not there, the node goes without the service and says so.
   */
  serve<Q>(
    type: string | object,
    name: string,
    answer: (request: Q) => Promise<object> | object,
    refusal: (error: unknown) => object,
  ): void {
    const handler: Handler = (request, response) => {
      const work = Promise.resolve()
        .then(() => answer(request as Q))
        .catch((error: unknown) => {
          this.logger.warn('a service refused', { service: name, reason: describeError(error) });
          return refusal(error);
        })
        .then((message) => {
          // Afterwards the native part holds nothing to answer with.
          if (!this.session.isClosed) response.send(message);
        })
        .catch((error: unknown) => {
          this.logger.warn('an answer could not be sent', { service: name, error: describeError(error) });
        })
        .finally(() => this.#pending.delete(work));
      this.#pending.add(work);
    };
    try {
      this.session.change((node: Node) =>
        node.createService(
          type as never,
          name,
          { qos: queueOfRequests(this.session) },
          guard(name, handler, this.logger) as never,
        ),
      );
    } catch (error) {
      this.logger.warn('a service is not offered', { service: name, error: describeError(error) });
    }
  }

  /** A `std_srvs/srv/Trigger`; `act` gives the message of the answer. */
  trigger(name: string, act: () => Promise<string> | string): void {
    this.serve(
      'std_srvs/srv/Trigger',
      name,
      async () => ({ success: true, message: await act() }),
      (error) => ({ success: false, message: reasonOf(error) }),
    );
  }

  /** Resolves when every request taken so far is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}

/**
 * ROS keeps ten requests of a service and overwrites the rest unanswered; rclnodejs takes one per turn, so that
 * a few clients at once would do.
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
