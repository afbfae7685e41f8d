import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';

/**
 * Wraps a callback that rclnodejs calls (subscription, service, timer, parameters, lifecycle, event). A throw
 * in any of them would end the process, and no handler would see it. Here it is logged (the 1st, 10th, 100th,
 * ... time) and answered by `onThrow`, or by undefined. A rejected promise is logged in the same way.
 */
export function guard<A extends unknown[], R>(
  name: string,
  callback: (...args: A) => R,
  logger: Logger,
  onThrow?: (error: unknown, ...args: A) => R,
): (...args: A) => R {
  let failures = 0;
  const report = (error: unknown): void => {
    failures++;
    if (!/^10*$/.test(String(failures))) return;
    try {
      logger.error('a ROS callback failed', { callback: name, failures, error: describeError(error) });
    } catch {
      // The logger itself failed.
    }
  };
  const guarded = (...args: A): R => {
    let thrown: unknown;
    try {
      const result = callback(...args);
      if (isThenable(result)) result.then(undefined, report);
      return result;
    } catch (error) {
      thrown = error;
      report(error);
    }
    try {
      return onThrow?.(thrown, ...args) as R;
    } catch (error) {
      report(error);
      return undefined as R;
    }
  };
  // rclnodejs reads the number of parameters (message info is a second one).
  Object.defineProperty(guarded, 'length', { value: callback.length });
  return guarded;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
