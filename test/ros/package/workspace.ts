import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../../src/host/version.js';
import { startRos, type RosChild, type RosChildOptions, type RosInstall } from '../../support/ros.js';

/** What a checkout holds besides sources. */
const NOT_SOURCES = new Set([
  ...['node_modules', 'dist', 'build', 'install', 'log', 'data', 'demo-data', 'bench-results', '.git'],
]);

/** A colcon workspace in a temporary folder, with a copy of this package in it. */
export class Workspace {
  readonly root: string;
  readonly source: string;

  readonly #ros: RosInstall;

  constructor(ros: RosInstall, root?: string) {
    this.#ros = ros;
    this.root = root ?? mkdtempSync(join(tmpdir(), 'holdfast-colcon-'));
    this.source = join(this.root, 'src', 'holdfast');
    if (root === undefined) this.#copySources();
  }

  /** The same folders; their programs use this ROS, with its middleware. */
  on(ros: RosInstall): Workspace {
    return new Workspace(ros, this.root);
  }

  #copySources(): void {
    // Also for the other user.
    chmodSync(this.root, 0o755);
    mkdirSync(this.source, { recursive: true });
    for (const name of readdirSync(packageRoot).filter((one) => !NOT_SOURCES.has(one))) {
      cpSync(join(packageRoot, name), join(this.source, name), { recursive: true });
    }
  }

  /** Builds with colcon and gives its output; throws with it where the build fails. */
  build(install: string, ...args: string[]): string {
    const base = ['--install-base', install, '--packages-select', 'holdfast'];
    return this.colcon('build', ...base, '--event-handlers', 'console_direct+', ...args);
  }

  colcon(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('colcon', args, {
      cwd: this.root,
      // Unless told, colcon's make waits for other work of the machine to end.
      env: { ...this.#ros.environment(50), NO_COLOR: '1', MAKEFLAGS: `-j${availableParallelism()}` },
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
    });
    const output = `${stdout}${stderr}`;
    if (status !== 0)
      throw new Error(`colcon ${args.join(' ')} ended with ${status}:\n${output.slice(-6_000)}`);
    return output;
  }

  /** Starts a program with the installation sourced. */
  start(install: string, command: readonly string[], options: RosChildOptions): RosChild {
    const setup = join(this.root, install, 'local_setup.bash');
    const script = 'source "$0" && exec "$@"';
    return startRos(this.#ros, 'bash', ['-c', script, setup, ...command], { cwd: this.root, ...options });
  }

  /** Runs a program with the installation sourced, to its end; throws when it fails. */
  async run(install: string, command: readonly string[], options: RosChildOptions): Promise<string> {
    const child = this.start(install, command, options);
    const code = await child.ended;
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${child.output()}`);
    return child.output();
  }

  remove(): void {
    // What a test made read-only.
    spawnSync('chmod', ['-R', 'u+w', this.root]);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Every file below a folder with a hash of its content (links: their target), for "nothing was written". */
export function snapshot(folder: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) files.set(name, `-> ${readlinkSync(path)}`);
    else if (stat.isFile()) files.set(name, createHash('sha1').update(readFileSync(path)).digest('hex'));
    else files.set(name, 'folder');
  }
  return files;
}

/** Names that are new, gone or changed. */
export function difference(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
}
