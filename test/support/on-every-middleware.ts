import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import { setMiddleware } from './middleware-of.js';
import { knownFailure, untriedMiddleware } from './middleware-failures.js';
import { findRos } from './ros.js';

/** Middlewares the ROS tests know how to run on, in this order. */
const known = ['rmw_cyclonedds_cpp', 'rmw_fastrtps_cpp', 'rmw_zenoh_cpp'] as const;

/**
 * Defines a suite once per middleware: those `HOLDFAST_TEST_RMW` names, separated by commas, else all that are
 * installed. `requireRos` in it, and all that is started with what it gives, is on that middleware. Without ROS the
 * suite is there once, so that it is counted as skipped.
 */
export function onEveryMiddleware(title: string, define: (this: Mocha.Suite) => void): void {
  for (const middleware of middlewares()) {
    describe(`${title} on ${middleware}`, function () {
      setMiddleware(this, middleware);
      before(function () {
        const missing = whyNot(middleware);
        if (missing !== undefined) lacking(this, 'ros', missing);
        const untried = asked().includes(middleware) ? undefined : untriedMiddleware(middleware);
        if (untried !== undefined) lacking(this, untried.need, untried.reason);
      });
      beforeEach(function () {
        const failure = knownFailure(middleware, present(this.currentTest).title);
        if (failure !== undefined) lacking(this, failure.need, failure.reason);
      });
      define.call(this);
    });
  }
}

/** The middlewares that are asked for, else those that are installed; never none. */
export function middlewares(): readonly string[] {
  const named = asked();
  if (named.length > 0) return named;
  const installed = known.filter((name) => whyNot(name) === undefined);
  return installed.length > 0 ? installed : known.slice(0, 1);
}

function asked(): readonly string[] {
  const named = (process.env['HOLDFAST_TEST_RMW'] ?? '').split(',').map((name) => name.trim());
  return named.filter((name) => name !== '');
}

/** Undefined when the middleware is installed. */
function whyNot(middleware: string): string | undefined {
  const ros = findRos();
  if (typeof ros === 'string') return ros;
  const prefixes = (ros.environment(0)['AMENT_PREFIX_PATH'] ?? '').split(':');
  const isThere = prefixes.some((prefix) => existsSync(join(prefix, 'lib', `lib${middleware}.so`)));
  return isThere ? undefined : `${middleware} is in no folder of AMENT_PREFIX_PATH`;
}
