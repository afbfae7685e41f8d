import type { Node, Subscription } from 'rclnodejs';
import type { RosSession } from './ros-session.js';
import type { Timer, Timers } from '../../core/clock.js';

/** From this many wake-ups per second on, a topic is polled. */
const BUSY_WAKES_PER_S = 500;
/** Below this many messages per second, polling ends. */
const CALM_MESSAGES_PER_S = 200;
/** Polling interval: the maximum added to the age of a message. */
const POLL_MS = 2;
/** Rates are judged over at least this time. */
const REVIEW_NS = 250_000_000n;

/** One subscription, for judging its rate. */
export interface PacedLine {
  readonly subscription: Subscription | undefined;
  /** Messages since the last review. */
  wakes: number;
  taken: number;
  isPolled: boolean;
  /** Takes its share of the waiting messages. */
  poll(): void;
}

/**
 * A wake-up for each message of a busy topic costs more than the message: the middleware rebuilds its wait
 * set, and two threads and the event loop take turns. So busy topics leave the wait set and are polled every
 * two milliseconds, until their rate falls.
 */
export class BusyTopics {
  #reviewedAt = 0n;
  #timer: Timer | undefined;
  #polled: readonly PacedLine[] = [];

  readonly #session: RosSession;
  readonly #onPolled: () => void;
  readonly #timers: Timers;

  constructor(session: RosSession, timers: Timers, onPolled: () => void) {
    this.#timers = timers;
    this.#session = session;
    this.#onPolled = onPolled;
  }

  /**
   * Judges every subscription by its messages since the last call; call it now and then, outside of
   * callbacks.
   */
  review(lines: readonly PacedLine[], now: bigint): void {
    const elapsed = now - this.#reviewedAt;
    if (elapsed < REVIEW_NS) return;
    const isFirst = this.#reviewedAt === 0n;
    this.#reviewedAt = now;
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
    // Closed ones are missing from the lines.
    this.#polled = lines.filter((line) => line.isPolled && line.subscription !== undefined);
    if (changed.length > 0 && !this.#session.isClosed) {
      this.#session.create((node) => changed.forEach((line) => arrange(node, line)));
      // Messages that came while it was neither in the wait set nor polled.
      for (const line of changed) line.poll();
    }
    this.#keepTime();
  }

  #keepTime(): void {
    if (this.#polled.length === 0) {
      this.close();
      return;
    }
    this.#timer ??= this.#timers.every(POLL_MS, () => {
      for (const line of this.#polled) line.poll();
      this.#onPolled();
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** rclnodejs waits for the members of this list, and reads it when handles are synchronised. */
function arrange(node: Node, { subscription, isPolled }: PacedLine): void {
  const own = node as unknown as { _subscriptions: Subscription[] };
  if (subscription === undefined) return;
  const others = own._subscriptions.filter((each) => each !== subscription);
  own._subscriptions = isPolled ? others : [...others, subscription];
}
