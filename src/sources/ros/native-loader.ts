import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { NativeBinding } from './native-binding.js';
import { prebuiltAddOn } from './prebuilt-add-on.js';

const require = createRequire(import.meta.url);

/** What is installed now; the add-on must have been built for the same. */
export interface Sourced {
  /** `jazzy`, ... */
  readonly distro: string;
  readonly prefixes: readonly string[];
}

/** Where the add-on may lie, and what it must have been built for. */
export interface NativePlace {
  /** Compiled on this machine; used if it exists. */
  readonly built: string;
  /** Of add-ons that were compiled elsewhere. */
  readonly prebuilds: string;
  /** Of this package. */
  readonly version: string;
}

/** The add-on of this package. */
export function nativePlace(): NativePlace {
  const manifest = require.resolve('holdfast/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const folder = join(dirname(manifest), 'native');
  return {
    built: join(folder, 'build', 'Release', 'holdfast_receiver.node'),
    prebuilds: join(folder, 'prebuilds'),
    version,
  };
}

/**
 * The add-on that is used where `distro` is sourced.
 *
 * @returns undefined if it does not exist.
 */
export function findNative(distro: string, { built, prebuilds }: NativePlace): string | undefined {
  return existsSync(built) ? built : prebuiltAddOn(prebuilds, distro, 'holdfast_receiver');
}

const BUILD = 'node native/build.mjs';

/**
 * Loads the add-on, after rclnodejs. It compiles nothing.
 *
 * @throws HoldfastError ROS_NOT_BUILT, ROS_DISTRO_MISMATCH: one line with the command to run.
 */
export function loadNative(sourced: Sourced, place: NativePlace = nativePlace()): NativeBinding {
  const path = findNative(sourced.distro, place);
  if (path === undefined) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `the native receiver is not built; run "${BUILD}" where ROS ${sourced.distro} is sourced`,
      { facts: { path: place.built } },
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
  checkFacts(binding, sourced, place.version);
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
