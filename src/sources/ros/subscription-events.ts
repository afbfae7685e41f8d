import { describeError } from '../../core/errors.js';
import type { Node, Subscription } from 'rclnodejs';
import type { Logger } from '../../core/logger.js';
import { guard } from './guard.js';
import type { RosSession } from './ros-session.js';
import type { Timers } from '../../core/clock.js';

/** What the middleware reports about a subscription, if distribution (Jazzy and later) and middleware can. */
export interface SubscriptionEvents {
  /** This many messages were lost in transit; those that the reader's own history overwrote are not counted. */
  readonly onLost: (count: number) => void;
}

/** Of rcl_subscription_event_type_t. */
const MESSAGE_LOST = 3;

interface EventNative {
  readonly createSubscriptionEventHandle?: (subscription: unknown, type: number) => EventHandle;
  readonly takeEvent?: (
    handle: EventHandle,
    kind: { subscription_event_type: number },
  ) => Record<string, number>;
}

interface EventHandle {
  release(): void;
}

/** By then, the present wait of rclnodejs is over. */
const OUTLIVES_WAIT_MS = 1_000;

/** A handler in the form in which rclnodejs keeps its own; its class for them is not exported. */
class SubscriptionEvent {
  #destroyed = false;

  constructor(
    readonly _handle: EventHandle,
    readonly takeData: () => void,
    readonly timers: Timers,
  ) {}

  get handle(): EventHandle {
    return this._handle;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  _destroy(): void {
    this.#destroyed = true;
    this._handle.release();
    // A wait that has just ended may still refer to this handle, which must outlive it.
    const held = this._handle;
    this.timers.after(OUTLIVES_WAIT_MS, () => held, { background: true });
  }
}

/** Listens to the events of a subscription; does nothing if there are none. */
export function watchSubscription(
  session: RosSession,
  node: Node,
  subscription: Subscription,
  events: SubscriptionEvents,
  topic: string,
  logger: Logger,
): void {
  const native = session.ros.native as unknown as EventNative;
  const { createSubscriptionEventHandle, takeEvent } = native;
  if (createSubscriptionEventHandle === undefined || takeEvent === undefined) return;
  let event: SubscriptionEvent;
  try {
    const handle = createSubscriptionEventHandle(handleOf(subscription), MESSAGE_LOST);
    const take = (): void => {
      const { total_count_change: count = 0 } = takeEvent(handle, { subscription_event_type: MESSAGE_LOST });
      if (count > 0) events.onLost(count);
    };
    event = new SubscriptionEvent(handle, guard(`event of ${topic}`, take, logger), session.timers);
  } catch (error) {
    // This middleware does not have the event.
    logger.debug('the middleware will not report lost messages', { topic, error: describeError(error) });
    return;
  }
  // As rclnodejs does it: waited for with the node, destroyed with the subscription.
  (node as unknown as { _events: unknown[] })._events.push(event);
  (subscription as unknown as { events: unknown[] }).events = [event];
}

/** The native side of an object of rclnodejs, which its types do not expose. */
export function handleOf(object: object): unknown {
  return (object as { readonly handle: unknown }).handle;
}
