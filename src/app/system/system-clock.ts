import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../core/clock.js';

/** Longest delay a timer takes; longer ones fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000n;
/** `Date.now()` is cut to whole milliseconds, so a deviation up to one is no step of the clock. */
const STEP_NS = 2n * NS_PER_MS;
/** Two readings of the clocks further apart were torn: the process had to wait between them. */
const TORN_NS = NS_PER_MS / 2n;
const MAX_READINGS = 5;

/**
 * The system's time. The wall clock is `Date.now()`, refined below the millisecond by the monotonic clock:
 * messages received within one millisecond keep their order, and jumps of the wall clock still show.
 */
export function createSystemClock(
  wallMs: () => number = Date.now,
  monotonic: () => bigint = process.hrtime.bigint,
): Clock {
  /** Both clocks at one moment, as far as the scheduler lets us: a busy machine takes milliseconds in between. */
  const read = (): { wall: bigint; ticks: bigint } => {
    for (let reading = 1; ; reading++) {
      const before = monotonic();
      const wall = BigInt(wallMs()) * NS_PER_MS;
      const ticks = monotonic();
      if (ticks - before < TORN_NS || reading === MAX_READINGS) return { wall, ticks };
    }
  };
  let { wall: anchorWall, ticks: anchorMonotonic } = read();
  const refine = (wall: bigint, ticks: bigint): bigint | undefined => {
    const refined = anchorWall + (ticks - anchorMonotonic);
    const deviation = wall - refined;
    return deviation < STEP_NS && deviation > -STEP_NS ? refined : undefined;
  };
  return {
    now() {
      const refined = refine(BigInt(wallMs()) * NS_PER_MS, monotonic());
      if (refined !== undefined) return refined;
      // Torn readings look like a jump: taken for one, what follows would be stamped before what came first.
      const { wall, ticks } = read();
      const again = refine(wall, ticks);
      if (again !== undefined) return again;
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
