import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { testCacheFolder } from './cli.js';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const RELEASE = 'bookworm';

/** What an image says about how to run it: members of Docker's image configuration. */
export interface ImageConfig {
  /** `user:group` */
  readonly User: string;
  /** `NAME=value` */
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
  readonly StopSignal: NodeJS.Signals;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Volumes: Readonly<Record<string, unknown>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface BuiltImage {
  /** Folder with the root of the image. */
  readonly root: string;
  readonly config: ImageConfig;
}

/** What the machine lacks for building images; undefined: nothing. */
export function lackForImages(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can build and run an image without an engine';
  const programs = ['buildah', 'debootstrap', 'unshare', 'nsenter', 'setpriv'];
  const missing = programs.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  if (missing.length > 0) return `missing programs: ${missing.join(', ')}`;
  const trial = spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true']);
  return trial.status === 0 ? undefined : `no namespaces: ${String(trial.stderr).trim()}`;
}

/** The root of a minimal Debian, made by debootstrap. It keeps Debian's packages for the next run. */
export function bootstrapDebian(root: string, arch?: string): void {
  const cache = join(testCacheFolder(), `debian-${RELEASE}-packages`);
  mkdirSync(cache, { recursive: true });
  const made = process.env['HOLDFAST_TEST_DEBIAN'];
  if (made !== undefined && arch === undefined) {
    run('cp', ['--archive', made, root]);
    return;
  }
  const options = [`--cache-dir=${cache}`, '--variant=minbase', '--include=ca-certificates'];
  if (arch !== undefined) options.push(`--arch=${arch}`);
  run('debootstrap', [...options, RELEASE, root]);
}

/** Images in a storage of their own below a folder, built by buildah: no engine runs. */
export class ImageBuilder implements Disposable {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string) {
    this.#folder = folder;
    this.#env = { ...process.env, BUILDAH_ISOLATION: 'chroot' };
  }

  /** Debian with the Node.js, the headers and the npm of this machine below /usr/local. Returns its name. */
  makeNodeBase(): string {
    const root = join(this.#folder, 'debian');
    bootstrapDebian(root);
    const container = this.#buildah('from', 'scratch');
    this.#buildah('add', '--quiet', container, root, '/');
    rmSync(root, { recursive: true });
    this.#buildah('copy', '--quiet', container, process.execPath, '/usr/local/bin/node');
    const modules = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
    this.#buildah('copy', '--quiet', container, join(modules, 'npm'), '/usr/local/lib/node_modules/npm');
    const headers = join(dirname(dirname(process.execPath)), 'include', 'node');
    if (existsSync(headers)) this.#buildah('copy', '--quiet', container, headers, '/usr/local/include/node');
    // The registries may have a certificate that only this machine knows.
    this.#buildah('copy', '--quiet', container, CERTIFICATES, CERTIFICATES);
    for (const name of ['npm', 'npx']) {
      const link = `ln -s ../lib/node_modules/npm/bin/${name}-cli.js /usr/local/bin/${name}`;
      this.#buildah('run', container, '--', 'sh', '-c', link);
    }
    return this.#commit(container, 'node-base');
  }

  /** The image named `base` with a ROS 2 installation of this machine and Debian's libraries for it. */
  makeRosBase(base: string, distro: string, prefix: string): string {
    const container = this.#buildah('from', base);
    const packages = [
      'libspdlog1.10',
      'libyaml-0-2',
      'libtinyxml2-9',
      'libssl3',
      'libfoonathan-memory0.7.2',
      'python3-minimal',
    ];
    const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(' ')}`;
    this.#buildah('run', container, '--', 'sh', '-c', install);
    const target = `/opt/ros/${distro}`;
    this.#buildah('copy', '--quiet', container, prefix, target);
    const setup = `cd ${target} && test -e setup.bash || cp local_setup.bash setup.bash`;
    this.#buildah('run', container, '--', 'sh', '-c', setup);
    return this.#commit(container, 'ros-base');
  }

  /** Builds a file of deploy/docker. */
  build(file: string, args: Readonly<Record<string, string>>): BuiltImage {
    const name = file.replace('.Dockerfile', '');
    const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
    const path = join(packageRoot, 'deploy', 'docker', file);
    this.#buildah('build', '--quiet', '--format', 'docker', ...given, '-t', name, '-f', path, packageRoot);
    const described = JSON.parse(this.#buildah('inspect', '--type', 'image', name)) as {
      readonly Docker: { readonly config: ImageConfig };
    };
    const root = this.#buildah('mount', this.#buildah('from', name));
    return { root, config: described.Docker.config };
  }

  [Symbol.dispose](): void {
    this.#buildah('umount', '--all');
    this.#buildah('rm', '--all');
  }

  #commit(container: string, name: string): string {
    // node-gyp finds the headers here and downloads none.
    const env = [`NODE_EXTRA_CA_CERTS=${CERTIFICATES}`, 'npm_config_nodedir=/usr/local'];
    this.#buildah('config', ...env.flatMap((one) => ['--env', one]), container);
    this.#buildah('commit', '--quiet', '--rm', container, name);
    return `localhost/${name}`;
  }

  #buildah(...args: readonly string[]): string {
    const storage = ['--root', join(this.#folder, 'images'), '--runroot', join(this.#folder, 'run')];
    return run('buildah', [...storage, ...args], this.#env).trim();
  }
}

function run(command: string, args: readonly string[], env = process.env): string {
  const ran = spawnSync(command, args, { env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (ran.status === 0) return ran.stdout;
  throw new Error(
    `${command} ${args.join(' ')}: ${String(ran.error ?? ran.stdout + ran.stderr).slice(-4_000)}`,
  );
}
