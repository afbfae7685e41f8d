import { createRequire } from 'node:module';
import { join } from 'node:path';
import { humanBytes } from '../../core/human-numbers.js';
import { findingsOf, type Finding } from './finding.js';
import type { Machine } from './machine.js';

const DOMAIN_MAX = 232;
/** Of ROS 2 distributions since Humble, if RMW_IMPLEMENTATION is not set. */
const DEFAULT_RMW = 'rmw_fastrtps_cpp';
/** Fast DDS passes messages between processes through files here. Containers have 64 MiB by default. */
const SHM_BYTES = 128 * 1024 * 1024;

/** What hurts recording from ROS 2. Without a sourced ROS 2, one finding says so. */
export async function checkRos(machine: Machine): Promise<readonly Finding[]> {
  const { env } = machine;
  const { ok } = findingsOf('ROS 2');
  const distro = env['ROS_DISTRO'] ?? '';
  if (distro === '') {
    return [ok('not sourced: other sources can be recorded, ros: cannot')];
  }
  return [
    ok(`${distro} is sourced`),
    checkRclnodejs(distro),
    await checkMiddleware(machine, distro),
    checkDomain(machine),
    checkRange(machine),
    await checkSharedMemory(machine),
  ];
}

function checkRclnodejs(distro: string): Finding {
  const { ok, bad } = findingsOf('rclnodejs');
  try {
    const path = createRequire(import.meta.url).resolve('rclnodejs');
    return ok(`installed (${path})`);
  } catch {
    return bad(
      'not installed, so ROS 2 cannot be recorded',
      `source /opt/ros/${distro}/setup.bash && npm install rclnodejs`,
    );
  }
}

async function checkMiddleware({ env, fs }: Machine, distro: string): Promise<Finding> {
  const { ok, bad } = findingsOf('middleware');
  const chosen = env['RMW_IMPLEMENTATION'] ?? '';
  const name = chosen === '' ? DEFAULT_RMW : chosen;
  const folders = [
    ...(env['LD_LIBRARY_PATH'] ?? '').split(':'),
    ...(env['AMENT_PREFIX_PATH'] ?? '').split(':').map((prefix) => join(prefix, 'lib')),
  ].filter((folder) => folder.startsWith('/'));
  for (const folder of folders) {
    if (await fs.stat(join(folder, `lib${name}.so`)).catch(() => undefined)) {
      return ok(`${name}; every process of the robot must use the same`);
    }
  }
  return bad(
    `${name} is ${chosen === '' ? 'the default' : 'in RMW_IMPLEMENTATION'}, and is not installed`,
    `sudo apt install ros-${distro}-${name.replaceAll('_', '-')}`,
  );
}

function checkDomain({ env }: Machine): Finding {
  const { ok, bad } = findingsOf('domain');
  const text = env['ROS_DOMAIN_ID'] ?? '';
  if (text === '') return ok('0 (ROS_DOMAIN_ID is not set)');
  const isDomain = /^\d+$/.test(text) && Number(text) <= DOMAIN_MAX;
  if (isDomain) return ok(text);
  return bad(`ROS_DOMAIN_ID is "${text}", allowed: 0 to ${DOMAIN_MAX}`, 'export ROS_DOMAIN_ID=0');
}

function checkRange({ env }: Machine): Finding {
  const { ok, warn } = findingsOf('discovery');
  if (env['ROS_LOCALHOST_ONLY'] === '1') {
    return warn('ROS_LOCALHOST_ONLY is 1: only nodes of this machine are seen', 'unset ROS_LOCALHOST_ONLY');
  }
  const range = env['ROS_AUTOMATIC_DISCOVERY_RANGE'] ?? '';
  if (/^(LOCALHOST|OFF)$/i.test(range)) {
    const seen =
      range.toUpperCase() === 'OFF' ? 'only ROS_STATIC_PEERS are' : 'only nodes of this machine are';
    return warn(
      `ROS_AUTOMATIC_DISCOVERY_RANGE is ${range}: ${seen} seen`,
      'export ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET',
    );
  }
  return ok(range === '' ? 'the default range' : range);
}

async function checkSharedMemory({ fs }: Machine): Promise<Finding> {
  const { ok, warn, unknown } = findingsOf('shared memory');
  const found = await fs.statfs('/dev/shm').catch(() => undefined);
  if (found === undefined) return unknown('/dev/shm is not there');
  const free = found.bavail * found.bsize;
  const text = `${humanBytes(free)} free in /dev/shm`;
  if (free >= SHM_BYTES) return ok(text);
  return warn(
    `${text}: Fast DDS then sends messages of this machine over the network`,
    'in a container: docker run --ipc=host, or --shm-size=512m; else remove old files: ls -l /dev/shm',
  );
}
