import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { eventually } from '../../../src/testing/waiting.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, stopRosChildren } from '../../support/ros.js';
import { Workspace, difference, snapshot } from './workspace.js';
import { lacking } from '../../../src/testing/lacking.js';
import { perhaps } from '../../support/perhaps.js';

const NOBODY = 65_534;
const steps = ['dependencies', 'native', 'receiver', 'types'];

describe('the ROS 2 package', function () {
  this.timeout(900_000);
  let workspace: Workspace;
  let firstBuild = '';
  /** With a compiled addon, for work on the other parts; without it, the first build compiles one. */
  const nativeCache = (): string => process.env.HOLDFAST_TEST_NATIVE_CACHE ?? join(workspace.root, 'native');
  const cmakeArgs = (...more: string[]): string[] => [
    ...['--cmake-args', `-DHOLDFAST_NATIVE_CACHE=${nativeCache()}`, ...more],
  ];
  const WITHOUT_TESTS = '-DBUILD_TESTING=OFF';

  before(function () {
    // npm ci, the message generators and the native addon.
    this.timeout(1_800_000);
    const ros = requireRos(this);
    if (spawnSync('colcon', ['--help'], { stdio: 'ignore' }).status !== 0) {
      lacking(this, 'colcon', 'there is no colcon on the PATH');
    }
    workspace = new Workspace(ros);
    const before = snapshot(workspace.source);
    spawnSync('chmod', ['-R', 'a-w', workspace.source]);
    firstBuild = workspace.build('install', ...cmakeArgs(WITHOUT_TESTS));
    assert.deepEqual(difference(before, snapshot(workspace.source)), [], 'the sources are as they were');
  });
  afterEach(stopRosChildren);
  after(() => perhaps(workspace)?.remove());

  const ros2 = (install: string, domainId: number, ...args: string[]): Promise<string> =>
    workspace.run(install, ['ros2', ...args], { domainId });

  async function assertComplete(install: string, domainId: number): Promise<void> {
    const executables = await ros2(install, domainId, 'pkg', 'executables', 'holdfast');
    assert.deepEqual(executables.trim().split('\n').sort(), [
      'holdfast recorder',
      'holdfast sim_fleet',
      'holdfast sync',
    ]);
    assert.match(
      await ros2(install, domainId, 'interface', 'show', 'holdfast/msg/SyncStatus'),
      /^bool is_syncing$/m,
    );
    assert.match(
      await ros2(install, domainId, 'interface', 'show', 'holdfast/srv/MarkEvent'),
      /^string label$/m,
    );
    assert.match(
      await ros2(install, domainId, 'interface', 'show', 'holdfast/srv/SetTags'),
      /^string tags$/m,
    );
    const fleet = [
      'ros2',
      'run',
      'holdfast',
      'sim_fleet',
      '--ros-args',
      '-p',
      'robots:=1',
      '-p',
      'duration:=1s',
    ];
    assert.match(
      await workspace.run(install, fleet, { domainId }),
      /the simulated fleet has ended messages=[1-9]/,
    );
    assert.match(
      await ros2(install, domainId, 'launch', 'holdfast', 'record.launch.py', '--show-args'),
      /'store':/,
    );
    assert.match(await workspace.run(install, ['holdfast', '--version'], { domainId }), /^\d+\.\d+\.\d+$/m);
  }

  it('builds everything once, without a metadata file', async () => {
    for (const step of steps) assert.match(firstBuild, new RegExp(`^holdfast: ${step}$`, 'm'));
    await assertComplete('install', 50);
  });

  it('installs the add-on of the native receiver, and nothing else that was compiled for it', () => {
    const native = join(workspace.root, 'install/holdfast/lib/node_modules/holdfast/native/build');
    assert.deepEqual(readdirSync(native, { recursive: true }).sort(), [
      'Release',
      'Release/holdfast_receiver.node',
    ]);
  });

  it('neither downloads nor compiles again what has not changed', () => {
    const again = workspace.build('install', ...cmakeArgs(WITHOUT_TESTS));
    for (const step of steps) assert.doesNotMatch(again, new RegExp(`^holdfast: ${step}$`, 'm'));
  });

  it('adds a new source, and removes one that is gone', () => {
    const source = join(workspace.source, 'src', 'core', 'added-by-test.ts');
    const installed = join(
      workspace.root,
      'install/holdfast/lib/node_modules/holdfast/dist/src/core/added-by-test.js',
    );
    chmodSync(join(workspace.source, 'src', 'core'), 0o755);
    writeFileSync(source, 'export const added = true;\n');
    workspace.build('install', ...cmakeArgs(WITHOUT_TESTS));
    assert.ok(existsSync(installed));
    rmSync(source);
    workspace.build('install', ...cmakeArgs(WITHOUT_TESTS));
    assert.ok(!existsSync(installed));
  });

  it('leaves out development dependencies, and everything that could compile at a start', () => {
    const root = join(workspace.root, 'install/holdfast/lib/node_modules/holdfast');
    const modules = readdirSync(join(root, 'node_modules'));
    for (const name of ['typescript', 'mocha', 'eslint', 'tsx']) assert.ok(!modules.includes(name), name);
    for (const name of ['rxjs', 'level', 'rclnodejs']) assert.ok(modules.includes(name), name);
    assert.ok(!existsSync(join(root, 'node_modules/rclnodejs/prebuilds')));
    assert.ok(existsSync(join(root, 'COLCON_IGNORE')), 'no package of its own for colcon');
  });

  it('runs for another user from a read-only installation, and writes nothing there', async function () {
    const install = join(workspace.root, 'install');
    spawnSync('chmod', ['-R', 'a-w', install]);
    const before = snapshot(install);
    const home = join(workspace.root, 'home');
    mkdirSync(home);
    chmodSync(home, 0o777);
    const isRoot = process.getuid?.() === 0;
    const asNobody = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
    const options = { domainId: 51, cwd: home, env: { HOME: home } };
    const start = (...command: string[]) => workspace.start('install', [...asNobody, ...command], options);
    const recorder = start('ros2', 'run', 'holdfast', 'recorder', '--ros-args', '-p', 'data:=data');
    await recorder.waitFor(/holdfast_recorder\]: recording/);
    const fleet = start('ros2', 'run', 'holdfast', 'sim_fleet', '--ros-args', '-p', 'duration:=3s');
    assert.equal(await fleet.ended, 0, fleet.output());
    await recorder.stop();
    const sealed = readdirSync(join(home, 'data', 'sealed')).filter((name) => name.endsWith('.mcap'));
    assert.ok(sealed.length > 0, recorder.output());
    if (isRoot) assert.equal(statSync(join(home, 'data')).uid, NOBODY);
    // Python keeps what it compiled of launch files beside them where it may; that is not ours.
    const written = difference(before, snapshot(install)).filter((name) => !name.includes('__pycache__'));
    spawnSync('chmod', ['-R', 'u+w', install]);
    assert.deepEqual(written, []);
  });

  it('ends with one line if another distribution is sourced or no Node.js is found', () => {
    const recorder = join(workspace.root, 'install/holdfast/lib/holdfast/recorder');
    const env = { PATH: '/usr/bin:/bin', AMENT_PREFIX_PATH: '/opt/ros/other' };
    const other = spawnSync(recorder, { env: { ...env, ROS_DISTRO: 'other' }, encoding: 'utf8' });
    assert.match(other.stderr, /^holdfast: built for ROS 2 \w+, but ROS_DISTRO is other; build .*\n$/);
    assert.equal(other.status, 1);
    const unsourced = spawnSync(recorder, { env: { PATH: env.PATH }, encoding: 'utf8' });
    assert.match(unsourced.stderr, /^holdfast: ROS 2 is not sourced: .*\n$/);
    const nodeless = spawnSync(recorder, {
      env: { ...env, HOLDFAST_NODE: '/nowhere/node' },
      encoding: 'utf8',
    });
    assert.match(nodeless.stderr, /^holdfast: no Node\.js: .*\n$/);
    assert.equal(nodeless.status, 1);
  });

  it('installs merged, with the addon it has', async () => {
    const output = workspace.build(
      ...['install-merged', '--merge-install', '--cmake-force-configure'],
      ...cmakeArgs(WITHOUT_TESTS),
    );
    assert.doesNotMatch(output, /^holdfast: native$/m);
    assert.deepEqual(readdirSync(join(workspace.root, 'install-merged/lib/holdfast')).sort(), [
      'recorder',
      'sim_fleet',
      'sync',
    ]);
    await assertComplete('install-merged', 52);
  });

  it('builds without a network from a cache, installs as links, and runs its tests through colcon', async () => {
    // The first build filled npm's own cache.
    const npmCache = spawnSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).stdout.trim();
    const build = ['--build-base', 'build-linked'];
    const output = workspace.build(
      ...['install-linked', '--symlink-install', ...build],
      ...cmakeArgs('-DBUILD_TESTING=ON', `-DHOLDFAST_NPM_CACHE=${npmCache}`),
    );
    assert.match(output, /native addon of rclnodejs: taken from /);
    const modules = join(workspace.root, 'install-linked/holdfast/lib/node_modules/holdfast');
    assert.ok(lstatSync(modules).isSymbolicLink());
    await assertComplete('install-linked', 53);
    workspace.colcon(
      ...['test', '--install-base', 'install-linked', ...build, '--packages-select', 'holdfast'],
      ...['--ctest-args', '-R', '^core$'],
    );
    const result = workspace.colcon('test-result', '--test-result-base', 'build-linked', '--all');
    assert.match(result, /core\.xml: [1-9]\d+ tests, 0 errors, 0 failures/);
  });

  onEveryMiddleware('launched', () => {
    let home = '';
    let on: Workspace;
    before(function () {
      on = workspace.on(requireRos(this));
    });
    const ros2 = (domainId: number, ...args: string[]): Promise<string> =>
      on.run('install', ['ros2', ...args], { domainId });
    /** Each command discovers the node again, and may look before it has. */
    const ofNode = async (domainId: number, ...args: string[]): Promise<string> => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await ros2(domainId, ...args, '--no-daemon');
        } catch (error) {
          if (attempt === 5 || !/Node not found/.test(String(error))) throw error;
        }
      }
    };
    beforeEach(() => {
      home = join(workspace.root, `run-${Math.random().toString(36).slice(2)}`);
      mkdirSync(home);
    });

    function launch(domainId: number, ...args: string[]) {
      return on.start('install', ['ros2', 'launch', 'holdfast', ...args], {
        domainId,
        cwd: home,
      });
    }

    it('records the simulated fleet and brings it to the store, robot by robot', async () => {
      const args = [
        'fleet_size:=2',
        'camera_kb:=16',
        'sim_topics:=imu,odom,tf_static,robot_description,fleet',
      ];
      const child = launch(54, 'sim.launch.py', ...args, 'sim_duration:=8s', 'max_bag_duration:=2');
      await child.waitFor(/the simulated fleet has ended/, 60_000);
      // Without a daemon, each call has half a second to discover the topic.
      const asked = (): Promise<string | undefined> =>
        ros2(54, 'topic', 'info', '/diagnostics', '--no-daemon').catch(() => undefined);
      const info = await eventually(asked, '/diagnostics in the graph');
      assert.match(info, /diagnostic_msgs\/msg\/DiagnosticArray/);
      // To launch alone, as a service manager does; the default is the whole group.
      process.kill(present(child.child.pid), 'SIGINT');
      assert.equal(await child.ended, 0, child.output());
      assert.doesNotMatch(child.output(), /process has died/);
      const sync = [
        'ros2',
        'run',
        'holdfast',
        'sync',
        '--ros-args',
        '-p',
        'data:=sim-data',
        '-p',
        'store.uri:=dir:sim-store',
      ];
      const rest = on.start('install', sync, { domainId: 54, cwd: home });
      await rest.waitFor(/syncing/);
      await rest.stop();
      const verify = ['holdfast', 'verify', 'dir:sim-store'];
      assert.match(await on.run('install', verify, { domainId: 54, cwd: home }), /^OK: .* 0 errors/m);
      const stored = readdirSync(join(home, 'sim-store'));
      for (const robot of ['robot1', 'robot2']) assert.ok(stored.includes(`robot=${robot}`), robot);
    });

    it('gives every robot of a fleet separate nodes and parameters', async () => {
      writeFileSync(
        join(home, 'params.yaml'),
        [
          ...['/**/holdfast_recorder:', '  ros__parameters:', '    segment.max_bytes: 16MiB'],
          ...['/robot_2/holdfast_recorder:', '  ros__parameters:', '    segment.max_bytes: 32MiB', ''],
        ].join('\n'),
      );
      const child = launch(55, 'fleet.launch.py', 'robots:=robot_1 robot_2', 'params_file:=params.yaml');
      await child.waitFor(/recording[^]*recording/, 60_000);
      const get = (robot: string, name: string): Promise<string> =>
        ofNode(55, 'param', 'get', `/${robot}/holdfast_recorder`, name);
      assert.match(await get('robot_1', 'segment.max_bytes'), /16777216/);
      assert.match(await get('robot_2', 'segment.max_bytes'), /33554432/);
      assert.match(await get('robot_2', 'robot'), /robot_2/);
      assert.match(await get('robot_1', 'topics.include'), /\^\/robot_1\//);
      assert.ok(existsSync(join(home, 'data/robot_1/wal')) && existsSync(join(home, 'data/robot_2/wal')));
    });

    it('starts recorder and sync apart', async () => {
      const recorder = launch(56, 'split.launch.py', 'role:=recorder', 'data:=shared', 'topics:=/chatter');
      await recorder.waitFor(/holdfast_recorder\]: recording/, 60_000);
      const sync = launch(56, 'split.launch.py', 'role:=sync', 'data:=shared', 'store:=dir:store');
      await sync.waitFor(/holdfast_sync\]: syncing/, 60_000);
      assert.doesNotMatch(recorder.output(), /holdfast_sync/);
      assert.doesNotMatch(sync.output(), /holdfast_recorder/);
      const included = await ofNode(
        56,
        'param',
        'get',
        '--no-daemon',
        '/holdfast_recorder',
        'topics.include',
      );
      assert.match(included, /\^\(\?:\/chatter\)\$/);
    });
  });
});
