import { humanBytes } from '../../core/human-numbers.js';
import { findingsOf, type Finding } from './finding.js';
import type { Machine } from './machine.js';

/** Whether tests have run on this version of Node.js. `tested`: versions such as `22.23.3`. */
export function checkNode({ node }: Machine, tested: readonly string[]): Finding {
  const { ok, warn } = findingsOf('Node.js');
  const majorOf = (version: string): string => version.split('.')[0] ?? version;
  if (tested.map(majorOf).includes(majorOf(node))) return ok(node);
  return warn(`${node}; the tests ran on ${tested.join(', ')}`, 'install one of these versions of Node.js');
}

/** What the kernel gives one socket at most, bytes; images and point clouds come as bursts of datagrams. */
const RMEM_BYTES = 8 * 1024 * 1024;
const SYSCTL_FILE = '/etc/sysctl.d/60-holdfast.conf';

/** Whether sockets can take bursts. */
export async function checkSocketBuffer(machine: Machine): Promise<Finding> {
  const { ok, warn, unknown } = findingsOf('socket buffer');
  const bytes = Number(await machine.text('/proc/sys/net/core/rmem_max'));
  if (!(bytes > 0)) return unknown('this system does not tell net.core.rmem_max');
  const text = `net.core.rmem_max is ${humanBytes(bytes)}`;
  if (bytes >= RMEM_BYTES) return ok(text);
  return warn(
    `${text}: bursts of large messages are lost before a recorder can take them`,
    `echo net.core.rmem_max=${RMEM_BYTES} | sudo tee ${SYSCTL_FILE} && sudo sysctl -p ${SYSCTL_FILE}`,
  );
}

/** Open files: sealing opens one object per robot, a store some connections. */
const OPEN_FILES = 4_096;

export async function checkOpenFiles(machine: Machine): Promise<Finding> {
  const { ok, warn, unknown } = findingsOf('open files');
  const limits = (await machine.text('/proc/self/limits')) ?? '';
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  if (hard === undefined) return unknown('this system does not tell the limit of open files');
  if (hard === 'unlimited' || Number(hard) >= OPEN_FILES) return ok(`at most ${hard}`);
  return warn(
    `at most ${hard}; fleets need up to ${OPEN_FILES}`,
    `raise it: ulimit -Hn ${OPEN_FILES}, or LimitNOFILE=${OPEN_FILES} in the systemd unit`,
  );
}

/** A recorder and sync beside it. */
const MEMORY_BYTES = 512 * 1024 * 1024;

export async function checkMemory(machine: Machine): Promise<Finding> {
  const { ok, warn, unknown } = findingsOf('memory');
  const info = (await machine.text('/proc/meminfo')) ?? '';
  const kib = Number(/^MemAvailable:\s+(\d+) kB/m.exec(info)?.[1] ?? Number.NaN);
  if (Number.isNaN(kib)) return unknown('this system does not tell its available memory');
  const text = `${humanBytes(kib * 1024)} available`;
  return kib * 1024 >= MEMORY_BYTES
    ? ok(text)
    : warn(
        `${text}; a recorder with sync takes up to ${humanBytes(MEMORY_BYTES)}`,
        'make queue.total_max_bytes smaller',
      );
}

/** Before this the clock has never been set: 2024-01-01. */
const FIRST_NS = 1_704_067_200_000_000_000n;
const TIME_REMEDY = 'sudo apt install chrony';

/** Whether the wall clock follows a time server: recordings of several robots are compared by it. */
export async function checkTime(machine: Machine): Promise<Finding> {
  const { ok, warn, bad, unknown } = findingsOf('clock');
  if (machine.clock.now() < FIRST_NS) {
    return bad(
      'the clock has never been set; recordings would have wrong times',
      'connect to a time server, or: sudo hwclock --hctosys',
    );
  }
  if ((await machine.text('/run/systemd/timesync/synchronized')) !== undefined) {
    return ok('follows a time server (systemd-timesyncd)');
  }
  const chrony = await machine.output('chronyc', ['-n', 'tracking']);
  if (chrony !== undefined) {
    if (/^Leap status\s*: Normal/m.test(chrony)) return ok('follows a time server (chrony)');
    return warn('chrony runs, and follows no time server yet', 'chronyc sources -v');
  }
  const answer = (await machine.output('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']))?.trim();
  if (answer === 'yes') return ok('follows a time server');
  if (answer === 'no') return warn('follows no time server', TIME_REMEDY);
  return unknown('this machine does not tell whether its clock follows a time server');
}
