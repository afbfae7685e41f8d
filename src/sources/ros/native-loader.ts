import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { NativeBinding } from './native-binding.js';

const require = createRequire(import.meta.url);

/** What is installed now; the add-on must have been built for the same. */
export interface Sourced {
  /** `jazzy`, ... */
  readonly distro: string;
  readonly prefixes: readonly string[];
}

/** Where the add-on lies, and what it must have been built for. */
export interface NativePlace {
  readonly path: string;
  /** Of this package. */
  readonly version: string;
}

/** The add-on of this package. */
export function nativePlace(): NativePlace {
  const manifest = require.resolve('holdfast/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return {
    path: join(dirname(manifest), 'native', 'build', 'Release', 'holdfast_receiver.node'),
    version,
  };
}

const BUILD = 'node native/build.mjs';

/**
 * Loads the add-on, after rclnodejs. It compiles nothing.
 *
 * @throws HoldfastError ROS_NOT_BUILT, ROS_DISTRO_MISMATCH: one line with the command to run.
 */
export function loadNative(sourced: Sourced, { path, version }: NativePlace = nativePlace()): NativeBinding {
  if (!existsSync(path)) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `the native receiver is not built; run "${BUILD}" where ROS ${sourced.distro} is sourced`,
      { facts: { path } },
    );
  }
  let binding: NativeBinding;
  try {
    binding = require(path) as NativeBinding;
  } catch (cause) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `the native receiver does not load under Node ${process.version} with ROS ${sourced.distro}: ` +
        `${describeError(cause).split('\n', 1)[0]}; run "${BUILD}" where it is sourced`,
      { cause },
    );
  }
  checkFacts(binding, sourced, version);
  return binding;
}

/** @throws HoldfastError ROS_NOT_BUILT, ROS_DISTRO_MISMATCH. */
function checkFacts({ facts }: NativeBinding, { distro, prefixes }: Sourced, version: string): void {
  if (facts.version !== version) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `the native receiver is of Holdfast ${facts.version}, this is ${version}; run "${BUILD}" where ROS ${distro} is sourced`,
      { facts: { builtFor: facts.version, version } },
    );
  }
  if (facts.distro !== distro) {
    throw new HoldfastError(
      'ROS_DISTRO_MISMATCH',
      `the native receiver is built for ROS ${facts.distro}, but ROS ${distro} is sourced; source the former or run "${BUILD}"`,
      { facts: { builtFor: facts.distro, sourced: distro } },
    );
  }
  const rcl = rclVersion(prefixes);
  // Its structures change with the minor version at most.
  if (rcl !== undefined && minorOf(rcl) !== minorOf(facts.rcl)) {
    throw new HoldfastError(
      'ROS_DISTRO_MISMATCH',
      `the native receiver is built for rcl ${facts.rcl}, but rcl ${rcl} is sourced; run "${BUILD}"`,
      { facts: { builtFor: facts.rcl, sourced: rcl } },
    );
  }
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function rclVersion(prefixes: readonly string[]): string | undefined {
  for (const prefix of prefixes) {
    try {
      const manifest = readFileSync(join(prefix, 'share', 'rcl', 'package.xml'), 'utf8');
      return /<version>([^<]+)<\/version>/.exec(manifest)?.[1]?.trim();
    } catch {
      // In another prefix.
    }
  }
  return undefined;
}
