import type { Context, Node } from 'rclnodejs';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { describeSecurity } from './security.js';
import { guard } from './guard.js';
import type { LoadedRos, Rclnodejs } from './rclnodejs.js';
import type { Timers } from '../../core/clock.js';

/**
 * Maximum duration of one wait of rclnodejs. It rebuilds its wait set after each wait. Short waits cost
 * processor time at rest; long ones block callers that create something meanwhile, which {@link
 * RosSession.change} avoids.
 */
const WAIT_MS = 100;

export interface RosSessionOptions {
  /** Base name of the node. */
  readonly nodeName: string;
  /** `/robot_1`; default: none. */
  readonly namespace?: string;
  /** ROS_DOMAIN_ID; default: that of the environment. */
  readonly domainId?: number;
  /** Command line with `--ros-args`, as the process received it; default: none. */
  readonly argv?: readonly string[];
  readonly logger: Logger;
  readonly timers: Timers;
  /** Creates another kind of node than `new rcl.Node(nodeName, namespace, context)`, such as a lifecycle node. */
  readonly makeNode?: (rcl: Rclnodejs, context: Context) => Node;
}

interface Waker {
  trigger(): void;
}

/**
 * One context, one node, and its spinning: a participant of one domain. Several can live in one process, in
 * the same domain or in others. A session that is not closed stays in the graph of its peers for seconds
 * after the process has ended.
 */
export class RosSession implements AsyncDisposable {
  #isSpinning = false;
  #closing: Promise<void> | undefined;
  readonly #beforeClose = new Set<() => void>();
  readonly #waker: Waker;

  readonly #logger: Logger;

  private constructor(
    readonly ros: LoadedRos,
    readonly context: Context,
    readonly node: Node,
    readonly timers: Timers,
    logger: Logger,
  ) {
    this.#logger = logger;
    // Its only purpose is to end a wait early.
    this.#waker = node.createGuardCondition(guard('wake', () => undefined, logger));
  }

  /**
   * Joins the domain.
   *
   * @throws HoldfastError ROS_UNUSABLE if the middleware refuses.
   */
  static async open(ros: LoadedRos, options: RosSessionOptions): Promise<RosSession> {
    const { rcl } = ros;
    const { domainId } = options;
    const context = new rcl.Context(domainId === undefined ? undefined : BigInt(domainId));
    try {
      await rcl.init(context, [...(options.argv ?? [])]);
      const node =
        options.makeNode?.(rcl, context) ?? new rcl.Node(options.nodeName, options.namespace ?? '', context);
      return new RosSession(ros, context, node, options.timers, options.logger);
    } catch (cause) {
      try {
        context.tryShutdown();
      } catch {
        // The cause has the reason.
      }
      const where = domainId === undefined ? '' : ` in domain ${domainId}`;
      const security = describeSecurity(ros.env, options.argv);
      const how = security === undefined ? '' : ` (${security})`;
      const message = `cannot start ROS node ${options.nodeName}${where}${how}`;
      throw new HoldfastError('ROS_UNUSABLE', message, { cause });
    }
  }

  get rcl(): Rclnodejs {
    return this.ros.rcl;
  }

  /** The domain in use, whether it was named or came from the environment. */
  get domainId(): number {
    // A getter, which its type declares as a method.
    return Number((this.context as unknown as { readonly domainId: bigint }).domainId);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Starts callbacks. Idempotent. */
  spin(): void {
    if (this.#isSpinning || this.isClosed) return;
    this.#isSpinning = true;
    this.node.spin(WAIT_MS);
  }

  /**
   * Creates or destroys subscriptions, services, timers while spinning. Each of those waits for the end of
   * the present wait; this ends it first, and lets many creations share one synchronisation.
   */
  change<T>(work: (node: Node) => T): T {
    if (this.#isSpinning) this.#waker.trigger();
    return work(this.node);
  }

  /**
   * As {@link change}, for creations only: the node synchronises all of them together at the end. Nothing may
   * be destroyed inside: it would be freed while the present wait still uses it.
   */
  create<T>(work: (node: Node) => T): T {
    const node = this.node as Node & { syncHandles(): void };
    // Shadows the method of the class, which is read-only to plain assignment.
    Object.defineProperty(node, 'syncHandles', { value: () => undefined, configurable: true });
    try {
      return work(node);
    } finally {
      delete (node as { syncHandles?: () => void }).syncHandles;
      if (this.#isSpinning) this.#waker.trigger();
      node.syncHandles();
    }
  }

  /**
   * Calls `end` before the node and its context are destroyed, for what uses them outside of rclnodejs.
   *
   * @returns Takes it back.
   */
  beforeClose(end: () => void): () => void {
    this.#beforeClose.add(end);
    return () => this.#beforeClose.delete(end);
  }

  /** Leaves the domain, so that peers see it at once. Idempotent; callbacks may be running when it is called. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      // Never from inside a callback of rclnodejs: stopping waits for that very callback.
      this.timers.soon(() => {
        for (const end of [...this.#beforeClose]) this.#end(end);
        try {
          if (this.#isSpinning) this.#waker.trigger();
          this.context.tryShutdown();
        } catch (error) {
          this.#logger.warn('a ROS node could not be shut down cleanly', { error: describeError(error) });
        }
        this.#isSpinning = false;
        resolve();
      });
    });
    return this.#closing;
  }

  #end(end: () => void): void {
    try {
      end();
    } catch (error) {
      this.#logger.warn('what uses a ROS node could not be ended cleanly', { error: describeError(error) });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
