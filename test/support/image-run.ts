import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import type { BuiltImage } from './image-build.js';

/** As an engine: all file systems of the image are read-only but the volume, /tmp and /dev/shm. */
const ENTER = `set -e; root=$1; data=$2; volume=$3; directory=$4; user=$5; shift 5
ip link set lo up; ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo
mount --make-rprivate /
mount --bind "$root" "$root"; mount -o remount,ro,bind "$root"
mount --bind "$data" "$root$volume"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"; mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
exec setpriv --no-new-privs chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"`;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An image that runs: process 1 of namespaces of its own, with the user and the environment of the image. */
export interface RunningImage {
  readonly child: ChildProcess;
  /** Process 1 in there, by its number out here; undefined: not started yet. */
  pid(): number | undefined;
  /** Whether the health check of the image succeeds. */
  isHealthy(): boolean;
  /** Starts another program beside it, like `docker exec`. */
  execute(command: readonly string[], env?: readonly string[]): ChildProcess;
}

/**
 * Runs an image.
 *
 * @param data Folder for the volume of the image; it is made and given to the user of the image.
 * @param args Instead of the command of the image, behind its entry point.
 */
export function runImage(
  { root, config }: BuiltImage,
  data: string,
  args: readonly string[] = config.Cmd,
  env: readonly string[] = [],
): RunningImage {
  const [user = 0, group = 0] = config.User.split(':').map(Number);
  mkdirSync(data, { recursive: true });
  chownSync(data, user, group);
  const volume = Object.keys(config.Volumes)[0] ?? '/var/lib/holdfast';
  const inside = ['env', '-i', PATH, ...config.Env, ...env, ...config.Entrypoint, ...args];
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--net', '--uts', '--ipc'];
  const child = spawn(
    'unshare',
    [
      ...namespaces,
      '/bin/bash',
      '-c',
      ENTER,
      'enter',
      root,
      data,
      volume,
      config.WorkingDir,
      config.User,
      ...inside,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const pid = (): number | undefined => {
    if (child.exitCode !== null) throw new Error(`the image ended by itself with ${child.exitCode}`);
    const parent = String(child.pid);
    const found = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')[0];
    return found === undefined || found === '' ? undefined : Number(found);
  };
  const enter = (command: readonly string[], more: readonly string[] = []): string[] => [
    ...['-t', String(pid()), '--mount', '--net', '--pid', '--ipc', '--root', '--wd'],
    ...['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--no-new-privs'],
    ...['env', '-i', PATH, ...config.Env, ...env, ...more, ...command],
  ];
  return {
    child,
    pid,
    isHealthy: () =>
      pid() !== undefined && spawnSync('nsenter', enter(config.Healthcheck.Test.slice(1))).status === 0,
    execute: (command, more) => spawn('nsenter', enter(command, more), { stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}
