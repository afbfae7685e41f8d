import type { Need } from '../../src/testing/lacking.js';

/** A test that is known to fail on a middleware. It is skipped there, and counted under this need. */
export interface KnownFailure {
  readonly need: Need;
  readonly reason: string;
}

/** Zenoh's nodes find each other through a router that the tests do not start. */
const onZenoh: KnownFailure = { need: 'zenoh', reason: 'the tests do not start a Zenoh router' };

/** Titles of tests that fail on Fast DDS, each with the reason. None does; never add one in silence. */
const onFastDds: Readonly<Record<string, string>> = {};

/** Why nothing is run on a middleware that is installed and that nobody named; undefined when it is run. */
export function untriedMiddleware(middleware: string): KnownFailure | undefined {
  return middleware === 'rmw_zenoh_cpp' ? onZenoh : undefined;
}

/** Why a test of this title is not run on a middleware; undefined when it is run. */
export function knownFailure(middleware: string, title: string): KnownFailure | undefined {
  const reason = middleware === 'rmw_fastrtps_cpp' ? onFastDds[title] : undefined;
  return reason === undefined ? undefined : { need: 'fastdds', reason };
}
