import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/host/system-clock.js';
import {
  checkFileSystem,
  checkFolder,
  checkSpace,
  mountOf,
  placeOf,
  quoted,
} from '../../../src/jobs/doctor/data-folder.js';
import { judgeSpeed, measureDisk } from '../../../src/jobs/doctor/disk-speed.js';
import { examine } from '../../../src/jobs/doctor/examine.js';
import type { Finding, FindingState } from '../../../src/jobs/doctor/finding.js';
import { thisMachine, type Machine } from '../../../src/jobs/doctor/machine.js';
import { checkRos } from '../../../src/jobs/doctor/ros.js';
import {
  checkMemory,
  checkNode,
  checkOpenFiles,
  checkSocketBuffer,
  checkTime,
} from '../../../src/jobs/doctor/system.js';

interface Pretended {
  readonly texts?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly now?: bigint;
  readonly node?: string;
  readonly statfs?: { readonly bavail: number; readonly blocks: number; readonly bsize: number };
}

/** A machine that says this of itself; its disk is the real one. */
function machine(pretended: Pretended = {}): Machine {
  const { texts = {}, programs = {}, env = {}, now, node = '22.1.0', statfs } = pretended;
  return {
    fs:
      statfs === undefined
        ? fs
        : ({ ...fs, statfs: () => Promise.resolve(statfs) } as unknown as Machine['fs']),
    clock: {
      now: () => now ?? systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      sleep: (ms, signal) => systemClock.sleep(ms, signal),
      after: (ms, run, options) => systemClock.after(ms, run, options),
      every: (ms, run, options) => systemClock.every(ms, run, options),
      soon: (run) => systemClock.soon(run),
    },
    env,
    node,
    text: (path) => Promise.resolve(texts[path]),
    output: (program) => Promise.resolve(programs[program]),
  };
}

const stateOf = ({ state }: Finding): FindingState => state;
const GIB = 2 ** 30;

describe('holdfast doctor', () => {
  it('finds the file system of a path by the longest mount, the later of two, and escaped names', () => {
    const mounts = [
      '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '30 22 0:26 / /data rw - tmpfs tmpfs rw',
      '31 22 8:2 / /data rw shared:2 master:1 - xfs /dev/sdb1 rw',
      '32 22 8:3 / /mnt/my\\040disk rw - vfat /dev/sdc1 rw',
    ].join('\n');
    const typeOf = (path: string): string | undefined => mountOf(mounts, path)?.type;
    assert.deepEqual(['/home', '/data/rec', '/database', '/mnt/my disk/rec', '/'].map(typeOf), [
      'ext4',
      'xfs',
      'ext4',
      'vfat',
      'ext4',
    ]);
    assert.equal(mountOf('', '/data'), undefined);
  });

  for (const [type, state] of [
    ['ext4', 'ok'],
    ['btrfs', 'ok'],
    ['tmpfs', 'bad'],
    ['overlay', 'warn'],
    ['nfs4', 'warn'],
    ['fuse.sshfs', 'warn'],
    ['vfat', 'warn'],
  ] as const) {
    it(`calls a data folder on ${type} ${state}`, async () => {
      const texts = { '/proc/self/mountinfo': `22 1 0:1 / / rw - ${type} device rw` };
      const place = { folder: '/data', existing: '/' };
      const finding = await checkFileSystem(machine({ texts }), place);
      assert.deepEqual([finding.state, finding.remedy === undefined], [state, state === 'ok']);
      assert.match(finding.text, new RegExp(type));
    });
  }

  it('compares the free space with the floor of the recorder', async () => {
    const state = async (free: number): Promise<FindingState> => {
      const statfs = { bavail: free / 4096, blocks: (100 * GIB) / 4096, bsize: 4096 };
      const limits = { minFreeBytes: GIB, minFreePercent: 5 };
      return stateOf(await checkSpace(machine({ statfs }), { folder: '/d', existing: '/' }, limits));
    };
    assert.deepEqual([await state(3 * GIB), await state(1.5 * GIB), await state(GIB)], ['ok', 'warn', 'bad']);
  });

  it('judges a disk by its commits', () => {
    const state = (medianMs: number, worstMs: number): FindingState =>
      stateOf(judgeSpeed({ medianMs, worstMs, mbPerS: 100 }));
    assert.deepEqual(
      [state(2, 20), state(40, 60), state(2, 1_500), state(600, 700)],
      ['ok', 'warn', 'warn', 'bad'],
    );
  });

  it('measures a real disk, and leaves nothing behind', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    try {
      const { medianMs, worstMs, mbPerS } = await measureDisk(machine(), folder);
      assert.ok(medianMs > 0 && worstMs >= medianMs && mbPerS > 0, `${medianMs} ${worstMs} ${mbPerS}`);
      assert.deepEqual(await fs.readdir(folder), []);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });

  it('warns of a version of Node.js that no test ran on', () => {
    const tested = ['20.20.2', '22.23.3'];
    assert.deepEqual(
      ['22.1.0', '20.20.2', '27.0.0'].map((node) => checkNode(machine({ node }), tested).state),
      ['ok', 'ok', 'warn'],
    );
  });

  it('reads limits of the kernel, and says if there are none', async () => {
    const state = async (
      check: (of: Machine) => Promise<Finding>,
      texts: Record<string, string>,
    ): Promise<string> => stateOf(await check(machine({ texts })));
    const rmem = '/proc/sys/net/core/rmem_max';
    assert.deepEqual(
      [
        await state(checkSocketBuffer, { [rmem]: '212992\n' }),
        await state(checkSocketBuffer, { [rmem]: '2147483647\n' }),
        await state(checkSocketBuffer, {}),
      ],
      ['warn', 'ok', 'unknown'],
    );
    const files = (hard: string): Record<string, string> => ({
      '/proc/self/limits': `Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 ${hard}                 files`,
    });
    assert.deepEqual(
      [
        await state(checkOpenFiles, files('1024')),
        await state(checkOpenFiles, files('1048576')),
        await state(checkOpenFiles, files('unlimited')),
        await state(checkOpenFiles, {}),
      ],
      ['warn', 'ok', 'ok', 'unknown'],
    );
    assert.deepEqual(
      [
        await state(checkMemory, { '/proc/meminfo': 'MemTotal: 1 kB\nMemAvailable:     100000 kB' }),
        await state(checkMemory, { '/proc/meminfo': 'MemAvailable:    4000000 kB' }),
        await state(checkMemory, {}),
      ],
      ['warn', 'ok', 'unknown'],
    );
  });

  it('asks the service that keeps the time, and knows a clock that was never set', async () => {
    const state = async (pretended: Pretended): Promise<FindingState> =>
      stateOf(await checkTime(machine(pretended)));
    assert.deepEqual(
      [
        await state({ now: 0n }),
        await state({ texts: { '/run/systemd/timesync/synchronized': '' } }),
        await state({ programs: { chronyc: 'Reference ID : 00\nLeap status     : Normal\n' } }),
        await state({ programs: { chronyc: 'Leap status     : Not synchronised\n' } }),
        await state({ programs: { timedatectl: 'no\n' } }),
        await state({}),
      ],
      ['bad', 'ok', 'ok', 'warn', 'warn', 'unknown'],
    );
  });

  describe('in a ROS 2 environment', () => {
    let prefix: string;
    before(async () => {
      prefix = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-ros-'));
      await fs.mkdir(join(prefix, 'lib'));
      await fs.writeFile(join(prefix, 'lib', 'librmw_cyclonedds_cpp.so'), '');
    });
    after(() => fs.rm(prefix, { recursive: true }));

    const finding = async (check: string, env: NodeJS.ProcessEnv): Promise<Finding | undefined> => {
      const all = await checkRos(
        machine({ env: { ROS_DISTRO: 'jazzy', AMENT_PREFIX_PATH: prefix, ...env } }),
      );
      return all.find((one) => one.check === check);
    };

    it('needs the middleware that is chosen, and names its package', async () => {
      const cyclone = await finding('middleware', { RMW_IMPLEMENTATION: 'rmw_cyclonedds_cpp' });
      assert.equal(cyclone?.state, 'ok');
      const other = await finding('middleware', {});
      assert.deepEqual([other?.state, other?.remedy], ['bad', 'sudo apt install ros-jazzy-rmw-fastrtps-cpp']);
    });

    it('refuses a domain that does not exist, and tells who is not seen', async () => {
      assert.equal((await finding('domain', { ROS_DOMAIN_ID: '233' }))?.state, 'bad');
      assert.equal((await finding('domain', { ROS_DOMAIN_ID: 'x' }))?.state, 'bad');
      assert.equal((await finding('domain', { ROS_DOMAIN_ID: '7' }))?.state, 'ok');
      assert.equal((await finding('discovery', { ROS_LOCALHOST_ONLY: '1' }))?.state, 'warn');
      assert.equal((await finding('discovery', { ROS_AUTOMATIC_DISCOVERY_RANGE: 'OFF' }))?.state, 'warn');
      assert.equal((await finding('discovery', {}))?.state, 'ok');
    });
  });

  it('says that ROS 2 is not sourced, and nothing else of it', async () => {
    const [only, ...rest] = await checkRos(machine());
    assert.deepEqual([only?.state, rest], ['ok', []]);
  });

  it('examines this machine for a folder that does not exist yet, and makes nothing', async () => {
    const parent = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    try {
      const findings = await examine(thisMachine({ fs, clock: systemClock, env: process.env }), {
        data: join(parent, 'robots', 'rec'),
        limits: { minFreeBytes: 0, minFreePercent: 0 },
        testDisk: true,
        testedNode: [process.versions.node],
      });
      assert.deepEqual(await fs.readdir(parent), []);
      const speed = findings.find(({ check }) => check === 'disk speed');
      assert.match(speed?.text ?? '', /^a commit takes \d/);
      const folder = findings.find(({ check }) => check === 'data folder');
      assert.deepEqual([folder?.state, folder?.text.includes(parent)], ['ok', true]);
    } finally {
      await fs.rm(parent, { recursive: true });
    }
  });

  it('finds a link on the way to the data folder that leads to a place that does not exist', async () => {
    const parent = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    try {
      const link = join(parent, 'disk');
      await fs.symlink(join(parent, 'not-mounted'), link);
      for (const data of [link, join(link, 'rec', 'robot')]) {
        const finding = await checkFolder(machine(), await placeOf(machine(), data));
        assert.deepEqual(
          [finding.state, finding.text],
          ['bad', `${link} is a link to a place that does not exist`],
        );
        assert.match(finding.remedy ?? '', /^mount the disk/);
      }
      await fs.mkdir(join(parent, 'not-mounted'));
      assert.equal((await checkFolder(machine(), await placeOf(machine(), join(link, 'rec')))).state, 'ok');
    } finally {
      await fs.rm(parent, { recursive: true });
    }
  });

  it('asks to remount a read-only file system, and gives no command that would fail there', async () => {
    const readOnly = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
    const real = machine();
    const onReadOnly = { ...real, fs: { ...fs, open: () => Promise.reject(readOnly) } };
    const finding = await checkFolder(onReadOnly, { folder: '/usr/rec', existing: '/usr' });
    assert.equal(finding.state, 'bad');
    assert.match(finding.remedy ?? '', /mount -o remount,rw "\$\(findmnt -no TARGET -T \/usr\)"$/);
  });

  it('quotes a path for the shell', () => {
    assert.deepEqual([quoted('/data/rec'), quoted("/my 'data'")], ['/data/rec', "'/my '\\''data'\\'''"]);
  });
});
