import type { Context, Node } from 'rclnodejs';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { guard } from './guard.js';
import type { LoadedRos, Rclnodejs } from './rclnodejs.js';

/**
 * How long one wait of rclnodejs may last. It rebuilds its wait set after each: short waits cost processor
 * time at rest, long ones block whoever creates something meanwhile, which {@link RosSession.change} avoids.
 */
const WAIT_MS = 100;

export interface RosSessionOptions {
  /** Base name of the node. */
  readonly nodeName: string;
  /** `/robot_1`; default: none. */
  readonly namespace?: string;
  /** ROS_DOMAIN_ID; default: that of the environment. */
  readonly domainId?: number;
  /** Command line with `--ros-args`, as the process got it; default: none. */
  readonly argv?: readonly string[];
  readonly logger: Logger;
  /** Makes another kind of node than `new rcl.Node(nodeName, namespace, context)`, such as a lifecycle node. */
  readonly makeNode?: (rcl: Rclnodejs, context: Context) => Node;
}

interface Waker {
  trigger(): void;
}

/**
 * One context, one node, and its spinning: a participant of one domain. Several live in one process, in the
 * same domain or in others. What is not closed haunts its peers for seconds after the process has gone.
 */
export class RosSession implements AsyncDisposable {
  private isSpinning = false;
  private closing: Promise<void> | undefined;
  private readonly waker: Waker;

  private constructor(
    readonly ros: LoadedRos,
    readonly context: Context,
    readonly node: Node,
    private readonly logger: Logger,
  ) {
    // Its only purpose is to end a wait early.
    this.waker = node.createGuardCondition(guard('wake', () => undefined, logger)) as unknown as Waker;
  }

  /**
   * Joins the domain.
   *
   * @throws HoldfastError ROS_UNUSABLE when the middleware refuses.
   */
  static async open(ros: LoadedRos, options: RosSessionOptions): Promise<RosSession> {
    const { rcl } = ros;
    const { domainId } = options;
    const context = new rcl.Context(domainId === undefined ? undefined : BigInt(domainId));
    try {
      await rcl.init(context, [...(options.argv ?? [])]);
      const node =
        options.makeNode?.(rcl, context) ?? new rcl.Node(options.nodeName, options.namespace ?? '', context);
      return new RosSession(ros, context, node, options.logger);
    } catch (cause) {
      try {
        context.tryShutdown();
      } catch {
        // What made it fail is in the cause.
      }
      const where = domainId === undefined ? '' : ` in domain ${domainId}`;
      throw new HoldfastError('ROS_UNUSABLE', `cannot start ROS node ${options.nodeName}${where}`, { cause });
    }
  }

  get rcl(): Rclnodejs {
    return this.ros.rcl;
  }

  /** The domain actually used, whether it was named or came from the environment. */
  get domainId(): number {
    return Number(this.context.domainId);
  }

  get isClosed(): boolean {
    return this.closing !== undefined;
  }

  /** Starts callbacks. Idempotent. */
  spin(): void {
    if (this.isSpinning || this.isClosed) return;
    this.isSpinning = true;
    this.node.spin(WAIT_MS);
  }

  /**
   * Creates or destroys subscriptions, services, timers while spinning. Each of those waits for the wait under
   * way to end; this ends it first, and lets many creations share one synchronisation.
   */
  change<T>(work: (node: Node) => T): T {
    if (this.isSpinning) this.waker.trigger();
    return work(this.node);
  }

  /**
   * As {@link change} for creations alone: the node takes notice of all of them together at the end. Nothing
   * may be destroyed inside: it would be freed while the wait under way still uses it.
   */
  create<T>(work: (node: Node) => T): T {
    const node = this.node as Node & { syncHandles(): void };
    // Shadows the method of the class, which is read-only to plain assignment.
    Object.defineProperty(node, 'syncHandles', { value: () => undefined, configurable: true });
    try {
      return work(node);
    } finally {
      delete (node as { syncHandles?: () => void }).syncHandles;
      if (this.isSpinning) this.waker.trigger();
      node.syncHandles();
    }
  }

  /** Leaves the domain, so that peers see it at once. Idempotent; callbacks may be under way when it is called. */
  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      // Never from inside a callback of rclnodejs: stopping waits for that very callback.
      setImmediate(() => {
        try {
          if (this.isSpinning) this.waker.trigger();
          this.context.tryShutdown();
        } catch (error) {
          this.logger.warn('a ROS node could not be shut down cleanly', { error: describeError(error) });
        }
        this.isSpinning = false;
        resolve();
      });
    });
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
