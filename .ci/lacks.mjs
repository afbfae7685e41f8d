// Prints what this machine lacks for the tests, by the names of test/support/lacking.ts, separated by commas. Every
// other skipped test fails the run. The probes are independent of the tests that they excuse.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const isRoot = process.getuid?.() === 0;
const canInstall = existsSync('/usr/bin/apt-get') && (isRoot || works('sudo', '-n', 'true'));
const inNamespace = (script) => works('unshare', '--mount', '--net', 'sh', '-c', script);
const inRos = (path) =>
  (process.env.AMENT_PREFIX_PATH ?? '')
    .split(':')
    .concat(existsSync('/opt/ros') ? readdirSync('/opt/ros').map((distro) => `/opt/ros/${distro}`) : [])
    .some((prefix) => existsSync(`${prefix}/${path}`));
const hasMiddleware = (name) => inRos(`lib/lib${name}.so`);
const rqtPackages = ['rqt_gui_py', 'rqt_plot', 'rqt_robot_monitor', 'rqt_runtime_monitor', 'rqt_topic'];
const hasRos =
  process.env.AMENT_PREFIX_PATH !== undefined ||
  (existsSync('/opt/ros') &&
    readdirSync('/opt/ros').some((distro) => existsSync(`/opt/ros/${distro}/setup.bash`)));

const lacks = {
  root: !isRoot,
  'shared-checkout':
    isRoot &&
    !works('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-r', import.meta.filename),
  // Debian's packages: the test command installs them wherever it may.
  browser: !existsSync('/usr/bin/chromium') && !canInstall,
  'c-compiler':
    ![
      ['gcc', 'cc', 'clang'],
      ['g++', 'c++', 'clang++'],
    ].every((names) => names.some((name) => works(name, '--version'))) && !canInstall,
  dbusmock:
    !(works('/usr/bin/python3', '-c', 'import dbusmock') && works('dbus-daemon', '--version')) && !canInstall,
  influxdb: !works('influxd', 'version') && !canInstall,
  victoriametrics: !works('victoria-metrics', '-version') && !canInstall,
  openssl: !works('openssl', 'version'),
  postgresql: !existsSync('/usr/lib/postgresql') && !canInstall,
  'prometheus-client': !works('/usr/bin/python3', '-c', 'import prometheus_client') && !canInstall,
  promtool: !works('promtool', '--version') && !canInstall,
  python: !works('/usr/bin/python3', '-c', 'import numpy, pandas') && !canInstall,
  strace: !works('strace', '-qq', '-o', '/dev/null', 'true') && !canInstall,
  swift: !canInstall,
  systemd: !works('systemd-analyze', '--version'),
  // What the kernel or a container allows.
  mount: !inNamespace('mount -t tmpfs none /mnt'),
  fsfreeze: !isRoot || !works('sh', '-c', 'grep -q ext4 /proc/filesystems && test -e /dev/loop-control'),
  cgroup: !isRoot || !existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
  netns: !works('ip', 'netns', 'list') || !inNamespace('true'),
  netem: !inNamespace('ip link set lo up && tc qdisc add dev lo root netem delay 1ms'),
  'socket-drops': !existsSync('/proc/net/udp'),
  // From PyPI, which has the library of Helm for x64 only.
  helm: process.arch !== 'x64' || !works('python3', '-m', 'venv', '--help'),
  // Providers come from a registry of Terraform, or from a folder that TF_CLI_ARGS_init names.
  terraform: !['aws', 'google'].every((cloud) =>
    works(
      ...['sh', '-ec', 'cd "$(mktemp -d)" && cp "$0"/*.tf . && terraform init -backend=false -input=false'],
      join(import.meta.dirname, '..', 'deploy', 'terraform', cloud),
    ),
  ),
  // Other versions come from npm.
  node: !works('npm', 'view', 'node@22', 'version'),
  // Only test/campaign needs these, so nothing installs them.
  images: !isRoot || !works('buildah', '--version') || !works('debootstrap', '--version'),
  qemu: !isRoot || !works('qemu-aarch64-static', '--version') || !works('debootstrap', '--version'),
  // Its jars come from Maven, which no test may need.
  kafka: !existsSync(process.env.HOLDFAST_TEST_KAFKA ?? '') || !works('java', '-version'),
  // Built from its Go module, which no test may need.
  minio: !works(process.env.HOLDFAST_TEST_MINIO ?? 'minio', '--version'),
  // Debian's packages take some 260 MB, which no test may need.
  ceph: !['ceph', 'ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin'].every((name) =>
    works(name, '--version'),
  ),
  // In no package registry.
  timescaledb:
    !existsSync('/usr/lib/postgresql') ||
    !readdirSync('/usr/lib/postgresql').some((major) =>
      existsSync(`/usr/lib/postgresql/${major}/lib/timescaledb.so`),
    ),
  ros: !hasRos,
  rclnodejs: !hasRos,
  // No test is known to fail on Fast DDS (test/support/middleware-failures.ts), so none is skipped for it.
  fastdds: false,
  zenoh: hasMiddleware('rmw_zenoh_cpp'),
  aggregator: !inRos('share/diagnostic_aggregator'),
  sros2: !inRos('share/sros2'),
  'foxglove-bridge': !inRos('share/foxglove_bridge'),
  // Xvfb is a package of Debian, which the test command installs wherever it may.
  rqt: !rqtPackages.every((name) => inRos(`share/${name}`)) || !(existsSync('/usr/bin/Xvfb') || canInstall),
  colcon: !hasRos || !works('colcon', '--help'),
};
console.log(
  Object.entries(lacks)
    .filter(([, isLacking]) => isLacking)
    .map(([name]) => name)
    .join(','),
);
