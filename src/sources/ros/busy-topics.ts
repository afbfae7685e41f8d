import type { Node, Subscription } from 'rclnodejs';
import type { RosSession } from './ros-session.js';

/** From so many wake-ups a second on, a topic is polled. */
const BUSY_WAKES_PER_S = 500;
/** Below so many messages a second, it is waited for again. */
const CALM_MESSAGES_PER_S = 200;
/** How often polled topics are looked at: what is added to the age of their messages at most. */
const POLL_MS = 2;
/** Rates are judged over no less than this. */
const REVIEW_NS = 250_000_000n;

/** One subscription, as its rate is judged. */
export interface PacedLine {
  readonly subscription: Subscription | undefined;
  /** Since the last review. */
  wakes: number;
  taken: number;
  isPolled: boolean;
  /** Takes its share of what waits. */
  poll(): void;
}

/**
 * A wake-up for each message of a busy topic costs more than the message: the middleware's wait set is built
 * anew, and two threads and the event loop take turns. Busy topics are therefore taken out of the wait set and
 * looked at every two milliseconds, until they have calmed down.
 */
export class BusyTopics {
  private reviewedAt = 0n;
  private timer: NodeJS.Timeout | undefined;
  private polled: readonly PacedLine[] = [];

  constructor(
    private readonly session: RosSession,
    private readonly onPolled: () => void,
  ) {}

  /** Judges every subscription by what came since the last time; call it every now and then, outside of callbacks. */
  review(lines: readonly PacedLine[], now: bigint): void {
    const elapsed = now - this.reviewedAt;
    if (elapsed < REVIEW_NS) return;
    const isFirst = this.reviewedAt === 0n;
    this.reviewedAt = now;
    const seconds = Number(elapsed) / 1e9;
    const changed = lines.filter((line) => {
      const isBusy = line.isPolled
        ? line.taken >= CALM_MESSAGES_PER_S * seconds
        : !isFirst && line.wakes >= BUSY_WAKES_PER_S * seconds;
      line.wakes = line.taken = 0;
      const hasChanged = isBusy !== line.isPolled;
      line.isPolled = isBusy;
      return hasChanged;
    });
    // Those that were closed are missing among the lines.
    this.polled = lines.filter((line) => line.isPolled && line.subscription !== undefined);
    if (changed.length > 0 && !this.session.isClosed) {
      this.session.create((node) => changed.forEach((line) => arrange(node, line)));
      // What came while it was neither in the wait set nor polled.
      for (const line of changed) line.poll();
    }
    this.keepTime();
  }

  private keepTime(): void {
    if (this.polled.length === 0) return this.close();
    this.timer ??= setInterval(() => {
      for (const line of this.polled) line.poll();
      this.onPolled();
    }, POLL_MS);
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

/** rclnodejs waits for what this list holds, and reads it when handles are synchronised. */
function arrange(node: Node, { subscription, isPolled }: PacedLine): void {
  const own = node as unknown as { _subscriptions: Subscription[] };
  if (subscription === undefined) return;
  const others = own._subscriptions.filter((each) => each !== subscription);
  own._subscriptions = isPolled ? others : [...others, subscription];
}
