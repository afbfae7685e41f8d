import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defined } from '../../src/core/defined.js';
import { packageRoot } from '../../src/host/version.js';
import { lacking } from '../../src/testing/lacking.js';
import { middlewareOf } from './middleware-of.js';

/** A ROS 2 installation the tests run against. */
export interface RosInstall {
  /** `jazzy`, ... */
  readonly distro: string;
  /** The environment of a child in this domain: sourced, loopback only. */
  environment(domainId: number): NodeJS.ProcessEnv;
  /** What its programs are started by, such as `ip netns exec name`; undefined: nothing. */
  readonly within?: readonly string[];
  /** The same installation with `RMW_IMPLEMENTATION` set to this. */
  on(middleware: string): RosInstall;
}

export interface RosChild {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  output(): string;
  /** Resolves once its output matches; rejects when it ends without, or after `timeoutMs` (default 30 s). */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<void>;
  /** Resolves with the exit code (null: a signal ended it). */
  readonly ended: Promise<number | null>;
  /** Sends the signal (default SIGINT) to its process group; SIGKILL after 5 s. Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const extension = extname(import.meta.url);
/** How the tests themselves run decides how a Node child does. */
export const nodeLoader: readonly string[] =
  extension === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];

let found: RosInstall | string | undefined;
let native: string | true | undefined;
const running = new Set<RosChild>();

/**
 * The ROS of this machine: the one sourced, else the newest under /opt/ros. A sentence if ROS is missing.
 */
export function findRos(): RosInstall | string {
  found ??= find();
  return found;
}

function find(): RosInstall | string {
  if (process.env.AMENT_PREFIX_PATH !== undefined && process.env.ROS_DISTRO !== undefined) {
    return install(process.env.ROS_DISTRO, process.env);
  }
  const root = '/opt/ros';
  const distros = existsSync(root) ? readdirSync(root).sort().reverse() : [];
  const setup = distros.map((distro) => join(root, distro, 'setup.bash')).find((file) => existsSync(file));
  if (setup === undefined) return 'no ROS 2 under /opt/ros, and AMENT_PREFIX_PATH is not set';
  const text = execFileSync('bash', ['-c', 'source "$1" && env -0', 'bash', setup], { encoding: 'utf8' });
  const environment = Object.fromEntries(
    text
      .split('\0')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return install(environment.ROS_DISTRO ?? 'unknown', environment);
}

function install(distro: string, sourced: NodeJS.ProcessEnv): RosInstall {
  return {
    distro,
    environment: (domainId) => ({
      ...sourced,
      ROS_DOMAIN_ID: String(domainId),
      ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST',
      PYTHONUNBUFFERED: '1',
    }),
    on: (middleware) => install(distro, { ...sourced, RMW_IMPLEMENTATION: middleware }),
  };
}

/**
 * Builds rclnodejs and the native receiver for the ROS of this machine, once; if they cannot be
 * built, tests say so.
 */
export function installForTests(): void {
  const ros = findRos();
  if (typeof ros === 'string') return;
  const addOn = join(packageRoot, 'native', 'build', 'Release', 'holdfast_receiver.node');
  // It fits one version of this package, which package.json states.
  const builtAt = statSync(addOn, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtAt < statSync(join(packageRoot, 'package.json')).mtimeMs) {
    const { status } = spawnSync(process.execPath, [join('native', 'build.mjs')], {
      cwd: packageRoot,
      env: ros.environment(101),
      stdio: 'ignore',
    });
    if (status !== 0) console.error('the native receiver could not be built; tests that need it will say so');
  }
  if (checkNative(ros) === true) return;
  console.error(`building rclnodejs for ROS ${ros.distro}, once; this takes minutes`);
  const { status } = spawnSync('npm', ['rebuild', 'rclnodejs', '--ignore-scripts=false'], {
    cwd: packageRoot,
    env: {
      ...ros.environment(101),
      CXXFLAGS: `${process.env['CXXFLAGS'] ?? ''} -include "${join(packageRoot, 'cmake', 'rcl-compat.hpp')}"`,
    },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  if (status !== 0) console.error('rclnodejs could not be built; tests that need it will say so');
}

/**
 * The ROS of this machine, on the middleware of the suite; without one (or, with `native`, without the built rclnodejs) skips the test, and
 * says in one line per suite what was not run.
 */
export function requireRos(test: Mocha.Context, options: { native?: boolean } = {}): RosInstall {
  const ros = findRos();
  let reason = typeof ros === 'string' ? ros : undefined;
  if (typeof ros !== 'string' && options.native === true) {
    native ??= checkNative(ros);
    if (native !== true) reason = native;
  }
  if (reason !== undefined || typeof ros === 'string') {
    lacking(test, typeof ros === 'string' ? 'ros' : 'rclnodejs', reason ?? 'no ROS 2');
  }
  const middleware = middlewareOf(test.currentTest ?? test.test);
  return middleware === undefined ? ros : ros.on(middleware);
}

/** True when rclnodejs loads in a child of the sourced environment. */
function checkNative(ros: RosInstall): string | true {
  const loader = fileURLToPath(new URL(`../../src/sources/ros/rclnodejs${extension}`, import.meta.url));
  const program = `import(${JSON.stringify(loader)}).then((m) => m.loadRclnodejs(process.env)).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); })`;
  try {
    execFileSync(process.execPath, [...nodeLoader, '-e', program], {
      env: ros.environment(101),
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    });
    return true;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return stderr.trim().split('\n').at(-1) || 'rclnodejs does not load';
  }
}

export interface RosChildOptions {
  readonly domainId: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a program in the sourced environment, in a process group of its own. */
export function startRos(
  ros: RosInstall,
  command: string,
  args: readonly string[],
  options: RosChildOptions,
): RosChild {
  const [program = command, ...rest] = [...(ros.within ?? []), command, ...args];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...ros.environment(options.domainId), ...options.env },
    ...defined({ cwd: options.cwd }),
  });
  let text = '';
  const watchers = new Set<() => void>();
  const notify = (): void => [...watchers].forEach((watcher) => watcher());
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      notify();
    });
  }
  let isOver = false;
  const ended = new Promise<number | null>((resolve) => {
    const end = (code: number | null): void => {
      isOver = true;
      running.delete(self);
      resolve(code);
      notify();
    };
    child.on('error', (error) => {
      text += String(error);
      end(127);
    });
    child.on('close', end);
  });
  const self: RosChild = {
    child,
    ended,
    output: () => text,
    waitFor: (pattern, timeoutMs = 30_000) =>
      new Promise((resolve, reject) => {
        const finish = (error?: Error): void => {
          clearTimeout(timer);
          watchers.delete(look);
          if (error === undefined) resolve();
          else reject(error);
        };
        const look = (): void => {
          if (pattern.test(text)) finish();
          else if (isOver) finish(new Error(`${command} ended without ${String(pattern)}:\n${text}`));
        };
        const late = (): void => finish(new Error(`${command}: no ${String(pattern)} in time:\n${text}`));
        const timer = setTimeout(late, timeoutMs);
        watchers.add(look);
        look();
      }),
    async stop(signal = 'SIGINT') {
      signalGroup(child, signal);
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), 5_000);
      await ended;
      clearTimeout(timer);
    },
  };
  running.add(self);
  return self;
}

/** The package of the demo talker: C++ where it is installed, else Python. */
export function talkerPackage(ros: RosInstall): string {
  return hasPackage(ros, 'demo_nodes_cpp') ? 'demo_nodes_cpp' : 'demo_nodes_py';
}

function hasPackage(ros: RosInstall, name: string): boolean {
  const prefixes = (ros.environment(0)['AMENT_PREFIX_PATH'] ?? '').split(':');
  return prefixes.some((prefix) => existsSync(join(prefix, 'share', name)));
}

/** Skips if the installation has no `ros2 bag`. */
export function requireRosbag2(test: Mocha.Context): RosInstall {
  const ros = requireRos(test);
  if (!hasPackage(ros, 'ros2bag')) lacking(test, 'ros', `ROS 2 ${ros.distro} here has no ros2 bag`);
  return ros;
}

/** The Python that ROS is built for: the system's, whatever comes first on PATH. */
const systemPython = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

/** Runs a Python program with rclpy; `arguments` are its `sys.argv[1:]`. */
export function startPython(
  ros: RosInstall,
  program: string,
  args: readonly string[],
  options: RosChildOptions,
): RosChild {
  return startRos(ros, systemPython, ['-c', program, ...args], options);
}

/** Runs `ros2 ...` to its end and gives its output; throws when it fails. */
export async function ros2(
  ros: RosInstall,
  args: readonly string[],
  options: RosChildOptions,
): Promise<string> {
  const child = startRos(ros, 'ros2', args, options);
  const code = await child.ended;
  if (code !== 0) throw new Error(`ros2 ${args.join(' ')} ended with ${code}:\n${child.output()}`);
  return child.output();
}

/** As {@link ros2} without the daemon, for a node that is known to be there: each command has to discover it again. */
export async function ros2OfNode(
  ros: RosInstall,
  args: readonly string[],
  options: RosChildOptions,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ros2(ros, [...args, '--no-daemon'], options);
    } catch (error) {
      if (attempt === 5 || !/Node not found/.test(String(error))) throw error;
    }
  }
}

/**
 * Runs a file of claims (`*.live.ts`) in a mocha of its own: rclnodejs needs the sourced environment before
 * Node starts, and ends the process where it fails. `choice` names a claim to run alone or to leave out. Fails with what failed there; returns what passed.
 */
export async function runLive(
  test: Mocha.Context,
  file: URL,
  domainId: number,
  env: NodeJS.ProcessEnv = {},
  choice: { readonly only?: string; readonly except?: string } = {},
): Promise<readonly string[]> {
  const ros = requireRos(test, { native: true });
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-live-'));
  try {
    const report = join(folder, 'report.json');
    const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
    const only = process.env.HOLDFAST_LIVE_GREP ?? choice.only;
    const except = only === undefined ? choice.except : undefined;
    const args = [
      ...nodeLoader,
      mocha,
      '--no-config',
      '--reporter',
      'json',
      '--reporter-option',
      `output=${report}`,
    ];
    const child = startRos(
      ros,
      process.execPath,
      [
        ...args,
        ...(only === undefined ? [] : ['--grep', only]),
        ...(except === undefined ? [] : ['--grep', except, '--invert']),
        fileURLToPath(file),
      ],
      { domainId, env },
    );
    const code = await child.ended;
    if (!existsSync(report))
      throw new Error(`${file.pathname} ended with ${code}:\n${child.output().slice(-4_000)}`);
    const { passes, failures } = JSON.parse(readFileSync(report, 'utf8')) as MochaReport;
    if (failures.length > 0 || passes.length === 0 || code !== 0) {
      const lines = failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.stack ?? err.message}`);
      throw new Error(
        `${failures.length} claims failed (exit ${code})\n${lines.join('\n')}\n${child.output().slice(-4_000)}`,
      );
    }
    return passes.map(({ fullTitle, duration }) => `${fullTitle} (${duration ?? 0} ms)`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface MochaReport {
  readonly passes: readonly { readonly fullTitle: string; readonly duration?: number }[];
  readonly failures: readonly {
    readonly fullTitle: string;
    readonly err: { readonly message?: string; readonly stack?: string };
  }[];
}

/** Ends every child still running; call it in `afterEach` or `after`. */
export async function stopRosChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop('SIGKILL')));
}

process.once('exit', () => running.forEach(({ child }) => signalGroup(child, 'SIGKILL')));

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}
