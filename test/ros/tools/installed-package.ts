import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../../src/host/version.js';
import { eventually } from '../../../src/testing/waiting.js';
import { nodeLoader, startRos, type RosChild, type RosInstall } from '../../support/ros.js';
import { holdfastMessages } from '../nodes/message-package.js';

const extension = extname(import.meta.url);
const executables = { recorder: 'ros/recorder-main', sync: 'ros/sync-main', sim_fleet: 'ros-fleet/main' };

/**
 * What colcon would install of this package, made in a moment: package.xml, launch files, config, messages, and
 * executables that start the code under test. So ros2 launch and rqt find the package.
 */
export class InstalledPackage implements Disposable {
  /** A folder for data, stores and logs; it goes with the package. */
  readonly root = mkdtempSync(join(tmpdir(), 'holdfast-installed-'));

  readonly #messages: NodeJS.ProcessEnv;

  private constructor(
    readonly ros: RosInstall,
    messages: NodeJS.ProcessEnv,
  ) {
    this.#messages = messages;
  }

  /** Builds the messages once per machine, which takes a minute. */
  static async make(ros: RosInstall): Promise<InstalledPackage> {
    const made = new InstalledPackage(ros, await holdfastMessages(ros));
    const share = join(made.prefix, 'share', 'holdfast');
    for (const name of ['package.xml', 'launch', 'config', 'msg', 'srv']) {
      cpSync(join(packageRoot, name), join(share, name), { recursive: true });
    }
    made.#linkLibraries();
    const index = join(made.prefix, 'share', 'ament_index', 'resource_index', 'packages');
    mkdirSync(index, { recursive: true });
    writeFileSync(join(index, 'holdfast'), '');
    for (const [name, main] of Object.entries(executables)) made.#writeExecutable(name, main);
    return made;
  }

  get prefix(): string {
    return join(this.root, 'prefix');
  }

  /** Of `launch/`, `config/`, ... as installed. */
  share(...path: string[]): string {
    return join(this.prefix, 'share', 'holdfast', ...path);
  }

  environment(): NodeJS.ProcessEnv {
    return {
      ...this.#messages,
      AMENT_PREFIX_PATH: `${this.prefix}:${this.#messages['AMENT_PREFIX_PATH']}`,
      HOME: this.root,
      ROS_LOG_DIR: join(this.root, 'log'),
    };
  }

  start(command: string, args: readonly string[], domainId: number, env: NodeJS.ProcessEnv = {}): RosChild {
    return startRos(this.ros, command, args, {
      domainId,
      cwd: this.root,
      env: { ...this.environment(), ...env },
    });
  }

  /**
   * Launches the simulated fleet, recorder and sync with the shipped launch file, at rates that a busy machine can keep,
   * and resolves when both nodes work. More arguments of the launch file may follow.
   */
  async launchSimulation(
    domainId: number,
    parameters: Readonly<Record<string, unknown>> = {},
    ...args: string[]
  ): Promise<RosChild> {
    const given = {
      'web.enabled': false,
      'foxglove.enabled': false,
      // A full disk of the machine is no fault of the recorder.
      'retention.min_free_bytes': 0,
      ...parameters,
    };
    const lines = Object.entries(given).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}`);
    const file = join(this.root, 'params.yaml');
    writeFileSync(file, ['/**:', '  ros__parameters:', ...lines, ''].join('\n'));
    const fleet = ['fleet_size:=2', 'camera_kb:=16', 'rate_scale:=0.2', 'max_bag_duration:=3'];
    const launch = [
      'launch',
      'holdfast',
      'sim.launch.py',
      ...fleet,
      `params_file:=${file}`,
      'respawn:=false',
    ];
    const child = this.start('ros2', [...launch, ...args], domainId);
    await child.waitFor(/holdfast_recorder\]: recording/, 60_000);
    await child.waitFor(/holdfast_sync\]: syncing/, 60_000);
    return child;
  }

  /** Type support is looked for in the package's own prefix. */
  #linkLibraries(): void {
    const from = join(this.#messages['AMENT_PREFIX_PATH']!.split(':')[0]!, 'lib');
    const to = join(this.prefix, 'lib');
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from).filter((one) => one.endsWith('.so'))) {
      symlinkSync(join(from, name), join(to, name));
    }
  }

  #writeExecutable(name: string, main: string): void {
    const folder = join(this.prefix, 'lib', 'holdfast');
    const path = join(folder, name);
    const script = fileURLToPath(new URL(`../../../src/app/${main}${extension}`, import.meta.url));
    const words = [process.execPath, ...nodeLoader, script].map((word) => `'${word}'`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
    chmodSync(path, 0o755);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Why these packages cannot be used: they are under no prefix of the ROS installation. Undefined: they can. */
export function missingPackage(ros: RosInstall, ...names: readonly string[]): string | undefined {
  const prefixes = (ros.environment(0)['AMENT_PREFIX_PATH'] ?? '').split(':');
  const missing = names.filter((name) => !prefixes.some((prefix) => existsSync(join(prefix, 'share', name))));
  return missing.length === 0 ? undefined : `no folder of AMENT_PREFIX_PATH has ${missing.join(', ')}`;
}

/** What a program that prints a line of JSON for each report printed so far, lines of other kinds left out. */
export function reportsOf(child: RosChild): readonly unknown[] {
  const complete = child.output().split('\n').slice(0, -1);
  return complete.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as unknown);
}

/** Waits for a report that satisfies the claim and gives it; rejects with the last one after `timeoutMs`. */
export async function reportWith<T>(
  child: RosChild,
  what: string,
  holds: (report: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  try {
    return await eventually(
      () => {
        assert.equal(child.child.exitCode, null, 'the program has ended');
        return (reportsOf(child) as readonly T[]).find(holds);
      },
      `a report that ${what}`,
      timeoutMs,
      100,
    );
  } catch (error) {
    const last = reportsOf(child).at(-1);
    const printed = last === undefined ? child.output() : JSON.stringify(last);
    throw new Error(`no report that ${what}; the last: ${printed}`, { cause: error });
  }
}
