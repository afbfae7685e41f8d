import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { lacking } from '../../../src/testing/lacking.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, startPython, stopRosChildren, type RosChild } from '../../support/ros.js';
import { InstalledPackage, missingPackage, reportsOf, reportWith } from './installed-package.js';
import { firstOf } from '../../support/first-of.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 71;

/**
 * Reports once a second what rqt shows: the tree of the robot monitor, which is the last /diagnostics_agg, and the list of
 * the runtime monitor. That marks each status it receives; every 5 s what is not marked becomes stale, and marks go.
 */
const MONITOR = String.raw`
import json, time
import rclpy
from diagnostic_msgs.msg import DiagnosticArray

rclpy.init()
node = rclpy.create_node('monitor')
tree, listed, marked = {}, {}, set()

def aggregated(message):
    tree.clear()
    tree.update({s.name: [ord(s.level), s.message] for s in message.status})

def received(message):
    for s in message.status:
        listed[s.name] = [ord(s.level), s.message]
        marked.add(s.name)

node.create_subscription(DiagnosticArray, '/diagnostics_agg', aggregated, 10)
node.create_subscription(DiagnosticArray, '/diagnostics', received, 10)
start = reported = looked = time.monotonic()
rounds = 0
while True:
    rclpy.spin_once(node, timeout_sec=0.1)
    now = time.monotonic()
    if now - looked >= 5:
        looked, rounds = now, rounds + 1
        listed.update({name: [3, 'stale'] for name in listed if name not in marked})
        marked.clear()
    if now - reported >= 1:
        reported = now
        print(json.dumps({'rounds': rounds, 'tree': tree, 'listed': listed}), flush=True)
`;

type Statuses = Readonly<Record<string, readonly [level: number, message: string]>>;
interface Report {
  /** How often the runtime monitor has looked for stale statuses. */
  readonly rounds: number;
  readonly tree: Statuses;
  readonly listed: Statuses;
}

const STALE = 3;
const namesBelow = (tree: Statuses, group: string): readonly string[] =>
  Object.keys(tree)
    .filter((name) => name.startsWith(`${group}/`))
    .map((name) => name.slice(group.length + 1))
    .sort();
const notOk = (statuses: Statuses): Statuses =>
  Object.fromEntries(Object.entries(statuses).filter(([, [level]]) => level !== 0));

onEveryMiddleware('diagnostics in the monitors of rqt', function () {
  this.timeout(180_000);
  let installed: InstalledPackage;
  let launched: RosChild;
  let monitor: RosChild;

  before(async function () {
    // The messages are built once per machine.
    this.timeout(900_000);
    const ros = requireRos(this, { native: true });
    const missing = missingPackage(ros, 'diagnostic_aggregator');
    if (missing !== undefined) lacking(this, 'aggregator', missing);
    installed = await InstalledPackage.make(ros);
    launched = await installed.launchSimulation(DOMAIN);
    monitor = startPython(ros, MONITOR, [], { domainId: DOMAIN, env: installed.environment() });
  });
  after(async () => {
    await stopRosChildren();
    perhaps(installed)?.[Symbol.dispose]();
  });

  it('are a tree of recorder, robots and sync, started by the launch file', async () => {
    const { tree } = await reportWith<Report>(
      monitor,
      'has the whole tree, all of it OK',
      (report) =>
        ['/Holdfast', '/Holdfast/Sync/uploads', '/Holdfast/Robots/robot2'].every(
          (name) => report.tree[name] !== undefined,
        ) && Object.keys(notOk(report.tree)).length === 0,
    );
    assert.deepEqual(namesBelow(tree, '/Holdfast/Recorder'), [
      ...['alerts', 'disk', 'drops', 'durability', 'recording', 'sources', 'topics'],
    ]);
    assert.deepEqual(namesBelow(tree, '/Holdfast/Sync'), ['link', 'uploads']);
    for (const robot of ['robot1', 'robot2']) {
      assert.ok(namesBelow(tree, '/Holdfast/Robots').includes(robot), robot);
    }
  });

  it('are all OK and never stale in the runtime monitor, by its own rule', async () => {
    const { rounds } = present(reportsOf(monitor).at(-1)) as Report;
    const { listed } = await reportWith<Report>(
      monitor,
      'looked for stale statuses three more times',
      (report) => report.rounds >= rounds + 3,
    );
    assert.ok(Object.keys(listed).length >= 10, JSON.stringify(listed));
    const later = (reportsOf(monitor) as readonly Report[]).filter((report) => report.rounds > rounds);
    for (const report of later) assert.deepEqual(notOk(report.listed), {});
  });

  it('turn stale below a group in error when the recorder is killed, while sync stays OK', async () => {
    const pid = /\[recorder-\d+\]: process started with pid \[(\d+)\]/.exec(launched.output())?.[1];
    process.kill(Number(pid), 'SIGKILL');
    const { tree } = await reportWith<Report>(
      monitor,
      'shows the recorder as stale',
      (report) => report.tree['/Holdfast/Recorder']?.[0] === STALE,
    );
    assert.equal(tree['/Holdfast']?.[0], 2);
    assert.deepEqual(
      namesBelow(tree, '/Holdfast/Recorder').filter(
        (name) => tree[`/Holdfast/Recorder/${name}`]?.[0] !== STALE,
      ),
      [],
    );
    assert.equal(tree['/Holdfast/Sync']?.[0], 0);
  });
});

describe('the aggregator of the launch files', function () {
  this.timeout(60_000);
  const ASK = String.raw`
import importlib.util, sys
from ament_index_python.packages import PackageNotFoundError
spec = importlib.util.spec_from_file_location('record', sys.argv[1])
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
def nothing(name):
    raise PackageNotFoundError(name)
record.get_package_prefix = nothing
values = {name: default for name, default, *_ in record.ARGUMENTS}
for wanted in ('auto', 'false', 'true'):
    try:
        actions = record.aggregator({**values, 'aggregator': wanted})
        print(wanted, [''.join(part.text for part in action.msg) for action in actions])
    except RuntimeError as error:
        print(wanted, 'error', error)
`;

  it('is left out with one line if the package is missing, and an error only if it is asked for', async function () {
    const ros = requireRos(this);
    const installed = await InstalledPackage.make(ros);
    try {
      const file = installed.share('launch', 'record.launch.py');
      const child = startPython(ros, ASK, [file], { domainId: DOMAIN, env: installed.environment() });
      assert.equal(await child.ended, 0, child.output());
      const missing = 'diagnostic_aggregator is not installed: nothing publishes /diagnostics_agg';
      const [auto, off, on] = firstOf(3, child.output().split('\n'));
      assert.match(auto, new RegExp(`^auto \\['holdfast: ${missing}`));
      assert.equal(off, 'false []');
      assert.match(on, new RegExp(`^true error aggregator:=true: ${missing}`));
    } finally {
      installed[Symbol.dispose]();
    }
  });
});
