import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../core/clock.js';

/** Longest delay a timer takes; longer ones fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000n;
/** `Date.now()` is cut to whole milliseconds, so a deviation up to one is no step of the clock. */
const STEP_NS = 2n * NS_PER_MS;

/**
 * The system's time. The wall clock is `Date.now()`, refined below the millisecond by the monotonic clock:
 * messages received within one millisecond keep their order, and jumps of the wall clock still show.
 */
export function createSystemClock(
  wallMs: () => number = Date.now,
  monotonic: () => bigint = process.hrtime.bigint,
): Clock {
  let anchorWall = BigInt(wallMs()) * NS_PER_MS;
  let anchorMonotonic = monotonic();
  return {
    now() {
      const wall = BigInt(wallMs()) * NS_PER_MS;
      const ticks = monotonic();
      const refined = anchorWall + (ticks - anchorMonotonic);
      const deviation = wall - refined;
      if (deviation < STEP_NS && deviation > -STEP_NS) return refined;
      anchorWall = wall;
      anchorMonotonic = ticks;
      return wall;
    },
    monotonic,
    async sleep(ms, signal) {
      for (let left = ms; ; left -= TIMER_MAX_MS) {
        await delay(Math.min(Math.max(left, 0), TIMER_MAX_MS), undefined, signal ? { signal } : {}).catch(
          (error: unknown) => {
            throw signal?.aborted ? signal.reason : error;
          },
        );
        if (left <= TIMER_MAX_MS) return;
      }
    },
  };
}

export const systemClock: Clock = createSystemClock();
