import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Timers } from '../core/clock.js';

/** Maximum delay of a timer; a longer one would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000n;
/** `Date.now()` is cut to whole milliseconds, so a deviation of up to one is not a step of the clock. */
const STEP_NS = 2n * NS_PER_MS;
/** If two readings of the clocks are further apart, they are torn: the process had to wait between them. */
const TORN_NS = NS_PER_MS / 2n;
const MAX_READINGS = 5;

/** Timers of Node.js. */
export const systemTimers: Timers = {
  after(ms, run, { background = false } = {}) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, run, { background = false } = {}) {
    const timer = setInterval(run, ms);
    if (background) timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  soon: (run) => void setImmediate(run),
};

/** Milliseconds since the process began, monotonic. Read in 40 ns. */
export const processMs = (): number => performance.now();

/** When the process began, milliseconds since the Unix epoch. */
export const processOriginMs = performance.timeOrigin;

/** Wall clock in whole milliseconds since the Unix epoch. */
export const wallClockMs = Date.now;

/**
 * The system's time. The wall clock is `Date.now()`, refined below the millisecond by the monotonic clock.
 * Messages received within one millisecond keep their order, and jumps of the wall clock still show.
 */
export function createSystemClock(
  wallMs: () => number = wallClockMs,
  monotonic: () => bigint = () => process.hrtime.bigint(),
): Clock {
  /**
   * Both clocks at one moment, as far as the scheduler allows: a busy machine may take milliseconds in
   * between.
   */
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
    ...systemTimers,
    now() {
      const refined = refine(BigInt(wallMs()) * NS_PER_MS, monotonic());
      if (refined !== undefined) return refined;
      // Torn readings look like a jump. If they counted as one, later messages would get earlier stamps.
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
