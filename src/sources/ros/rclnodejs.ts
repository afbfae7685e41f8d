import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as RclnodejsModule from 'rclnodejs';
import { HoldfastError, describeError } from '../../core/errors.js';
import { withReceiveBuffer } from './cyclone-config.js';
import { prebuiltAddOn } from './prebuilt-add-on.js';

export type Rclnodejs = typeof RclnodejsModule;

/**
 * Environment variables as a sourced shell exports them; app/ passes `process.env` itself, because one of
 * them is completed (see cyclone-config.ts).
 */
export type RosEnvironment = Readonly<Record<string, string | undefined>>;

/** The few native functions that the public interface of rclnodejs does not offer. */
export interface RclNative {
  /** The next message of a raw subscription in its own Buffer, or undefined if none is waiting. */
  rclTakeRaw(subscriptionHandle: unknown): Buffer | undefined;
}

/** rclnodejs, loaded once per process. */
export interface LoadedRos {
  readonly rcl: Rclnodejs;
  readonly native: RclNative;
  /** `jazzy`, ... */
  readonly distro: string;
  /** Install prefixes, overlays first. */
  readonly prefixes: readonly string[];
  /** The environment that it was loaded in. */
  readonly env: RosEnvironment;
}

const REBUILD = 'npm rebuild rclnodejs --ignore-scripts=false';
const distroNumbers: Readonly<Record<string, number>> = {
  humble: 2205,
  iron: 2305,
  jazzy: 2405,
  kilted: 2505,
  lyrical: 2605,
  rolling: 5000,
};

const require = createRequire(import.meta.url);
let loading: Promise<LoadedRos> | undefined;

/**
 * Loads rclnodejs, once. If rclnodejs is imported and its addon cannot load, it deletes its build and
 * compiles for minutes. So the addon is loaded here first, and the package around it only if that worked.
 *
 * @throws HoldfastError ROS_NOT_SOURCED, ROS_NOT_BUILT, ROS_DISTRO_MISMATCH: one line with what to run.
 */
export function loadRclnodejs(env: RosEnvironment): Promise<LoadedRos> {
  loading ??= load(env).catch((error: unknown) => {
    // The environment of a running process does not change, but another caller may pass another one.
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(env: RosEnvironment): Promise<LoadedRos> {
  const { distro, prefixes } = sourcedRos(env);
  const root = packageRoot();
  const native = loadAddon(root, distro, env);
  if (!existsSync(join(root, 'generated', 'generator.json'))) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `rclnodejs has no generated messages in ${join(root, 'generated')}; run "${REBUILD}" where ROS ${distro} is sourced`,
      { facts: { distro } },
    );
  }
  const cyclone = withReceiveBuffer(env, (path) => readFileSync(path, 'utf8'));
  // The middleware reads this variable when the first context joins a domain.
  if (cyclone !== undefined) (env as Record<string, string>).CYCLONEDDS_URI = cyclone;
  const { default: rcl } = (await import('rclnodejs')) as unknown as { default: Rclnodejs };
  // Its handler shuts every context down on SIGINT, while a recorder still drains.
  rcl.removeSignalHandlers();
  return { rcl, native, distro, prefixes, env };
}

/** The distribution and prefixes of a sourced environment. */
export function sourcedRos(env: RosEnvironment): { distro: string; prefixes: readonly string[] } {
  const prefixes = (env.AMENT_PREFIX_PATH ?? '').split(':').filter((prefix) => prefix !== '');
  const distro = env.ROS_DISTRO ?? '';
  const missing = [
    ...(distro === '' ? ['ROS_DISTRO'] : []),
    ...(prefixes.length === 0 ? ['AMENT_PREFIX_PATH'] : []),
  ];
  if (missing.length > 0) {
    throw new HoldfastError(
      'ROS_NOT_SOURCED',
      `ROS 2 is not sourced (${missing.join(' and ')} not set); run "source /opt/ros/<distro>/setup.bash" first`,
      { facts: { missing } },
    );
  }
  return { distro, prefixes };
}

function packageRoot(): string {
  try {
    return dirname(require.resolve('rclnodejs/package.json'));
  } catch (cause) {
    throw new HoldfastError('ROS_NOT_BUILT', 'the package rclnodejs is not installed; run "npm ci"', {
      cause,
    });
  }
}

/**
 * Loads the native part exactly where rclnodejs will look for it: the prebuilt of this distribution, system
 * and processor, otherwise its own build. Node caches it by its path, so rclnodejs gets the same one.
 */
function loadAddon(root: string, distro: string, env: RosEnvironment): RclNative {
  if (env.RCLNODEJS_FORCE_BUILD === '1') {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      'RCLNODEJS_FORCE_BUILD=1 makes rclnodejs compile itself at every start; unset it',
    );
  }
  const prebuilt = prebuiltAddOn(join(root, 'prebuilds'), distro, 'node-rclnodejs');
  let refusal: unknown;
  if (prebuilt !== undefined) {
    try {
      return require(prebuilt) as RclNative;
    } catch (error) {
      refusal = error;
    }
  }
  const built = builtAddon(root);
  if (built === undefined && refusal === undefined) {
    throw new HoldfastError(
      'ROS_NOT_BUILT',
      `rclnodejs is not built for ROS ${distro}; run "${REBUILD}" where it is sourced`,
      { facts: { distro } },
    );
  }
  const builtFor = built === undefined ? undefined : distroOfBuild(root);
  if (builtFor !== undefined && builtFor !== (distroNumbers[distro] ?? builtFor)) {
    throw new HoldfastError(
      'ROS_DISTRO_MISMATCH',
      `rclnodejs is built for ROS ${nameOf(builtFor)}, but ROS ${distro} is sourced; source the former or run "${REBUILD}"`,
      { facts: { builtFor: nameOf(builtFor), sourced: distro } },
    );
  }
  try {
    if (built !== undefined) return require(built) as RclNative;
  } catch (error) {
    refusal = error;
  }
  const isLibraryMissing = /cannot open shared object file/.test(describeError(refusal));
  throw new HoldfastError(
    isLibraryMissing ? 'ROS_NOT_SOURCED' : 'ROS_NOT_BUILT',
    isLibraryMissing
      ? `the libraries of ROS ${distro} are not found (LD_LIBRARY_PATH must be set before the process starts); run "source /opt/ros/${distro}/setup.bash" first`
      : `the native part of rclnodejs does not load under Node ${process.version} with ROS ${distro}; run "${REBUILD}" where it is sourced`,
    { cause: firstLine(refusal), facts: { distro } },
  );
}

function builtAddon(root: string): string | undefined {
  // The order in which the package `bindings` tries them.
  return ['build/rclnodejs.node', 'build/Debug/rclnodejs.node', 'build/Release/rclnodejs.node']
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
}

/** The distribution of a local build, from node-gyp's makefile beside it. */
function distroOfBuild(root: string): number | undefined {
  try {
    const makefile = readFileSync(join(root, 'build', 'rclnodejs.target.mk'), 'utf8');
    const number = /-DROS_VERSION=(\d+)/.exec(makefile)?.[1];
    return number === undefined ? undefined : Number(number);
  } catch {
    return undefined;
  }
}

function nameOf(number: number): string {
  return Object.entries(distroNumbers).find(([, value]) => value === number)?.[0] ?? String(number);
}

/** Node lists the whole require stack in the message. */
function firstLine(error: unknown): Error {
  return new Error(describeError(error).split('\n', 1)[0]);
}
