import { present } from '../core/present.js';

/**
 * What a machine may lack, and so which tests it may skip. A skipped test names one of these. The reporter
 * (honest-reporter.ts) counts it under that name, and `HOLDFAST_TEST_LACKS` lists the accepted names.
 */
const texts = {
  aggregator: 'the ROS package diagnostic_aggregator',
  browser: 'Debian’s chromium',
  'c-compiler': 'a C or C++ compiler',
  capability: 'something that the tested adapter does not offer',
  ceph: 'a monitor, an OSD and the RADOS gateway of Ceph',
  cgroup: 'a memory cgroup (version 1) that this user may make',
  colcon: 'colcon',
  dbusmock: 'python3-dbusmock and dbus-daemon from Debian',
  fastdds: 'a fix for what is known to fail on Fast DDS',
  'foxglove-bridge': 'the ROS package foxglove_bridge',
  fsfreeze: 'the right to freeze a file system',
  helm: 'the library of Helm and the schemas of Kubernetes from PyPI',
  images: 'buildah and debootstrap, and root to use them',
  influxdb: 'InfluxDB from Debian',
  kafka: 'the jars of a Kafka broker, named by HOLDFAST_TEST_KAFKA, and Java',
  minio: 'MinIO on the PATH or named by HOLDFAST_TEST_MINIO',
  mount: 'the right to mount file systems',
  netem: 'a kernel with the netem queueing discipline',
  netns: 'the right to make network namespaces',
  node: 'another version of Node.js',
  openssl: 'openssl',
  peer: 'a program or package that no package registry gave',
  postgresql: 'PostgreSQL from Debian',
  promtool: 'promtool of Debian’s package prometheus',
  'prometheus-client': 'Debian’s python3-prometheus-client',
  python: 'Python packages such as NumPy and pandas',
  qemu: 'qemu-aarch64-static and debootstrap, and root to use them',
  rclnodejs: 'rclnodejs built for the ROS 2 of this machine',
  root: 'root, to act as another user',
  ros: 'ROS 2',
  rqt: 'rqt with its monitors and plots, and Xvfb',
  'shared-checkout': 'a checkout that another user than root can read',
  'socket-drops': 'a kernel that counts the datagrams a socket dropped',
  sros2: 'the ROS package sros2',
  strace: 'strace, and the right to trace a process',
  swift: 'OpenStack Swift from Debian',
  systemd: 'systemd-analyze',
  terraform: 'Terraform, and the providers that it finds by itself or by TF_CLI_ARGS_init',
  timescaledb: 'TimescaleDB beside the PostgreSQL of Debian',
  victoriametrics: 'VictoriaMetrics from Debian',
  zenoh: 'a Zenoh router',
} as const;

/** Name of something that a machine may lack: a key of {@link needs}. */
export type Need = keyof typeof texts;

/** By name, in words. */
export const needs: Readonly<Record<Need, string>> = texts;

/** Why a test was skipped; the reporter looks for it on the test and on the suites around it. */
export interface Lack {
  /** What the machine lacks. */
  readonly need: Need;
  /** The reason with the value found, as a clause. */
  readonly reason: string;
}

const lacks = new WeakMap<object, Lack>();
const said = new Set<string>();

/** The stated reason of a skipped test or suite. */
export function lackOf(runnable: object): Lack | undefined {
  return lacks.get(runnable);
}

/**
 * Skips the running test, or in a `before` hook the whole suite, because this machine lacks something. Prints
 * the reason once for each suite.
 *
 * @param reason What is missing, with the value found, as a clause: `no ROS 2 under /opt/ros`.
 */
export function lacking(context: Mocha.Context, need: Need, reason: string): never {
  const running = present(context.test);
  const isBeforeAll = running.title.startsWith('"before all" hook');
  const skipped = isBeforeAll ? present(running.parent) : (context.currentTest ?? running);
  lacks.set(skipped, { need, reason });
  const line = `${running.parent?.fullTitle() || running.title}: ${reason}`;
  if (!said.has(line)) console.log(`      not run: ${line}`);
  said.add(line);
  return context.skip();
}
