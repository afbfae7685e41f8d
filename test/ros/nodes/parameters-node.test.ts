import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import {
  requireRos,
  ros2OfNode,
  startPython,
  startRos,
  stopRosChildren,
  type RosChild,
  type RosInstall,
} from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { parameterTable } from '../../../src/settings/parameter-table.js';
import { nodeCommand, parameter, startNode, TemporaryFolder } from './node-child.js';
import { Probe, type Dictionary } from './probe.js';
import { firstOf } from '../../support/first-of.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 31;

interface Value extends Dictionary {
  type: number;
  bool_value: boolean;
  integer_value: number;
  double_value: number;
  string_value: string;
  string_array_value: string[];
}
interface Result {
  successful: boolean;
  reason: string;
}
interface Descriptor {
  type: number;
  description: string;
  additional_constraints: string;
  read_only: boolean;
  integer_range: { from_value: number; to_value: number }[];
  floating_point_range: { from_value: number; to_value: number }[];
}

const PARAMS = `
/**:
  ros__parameters:
    rules: ['/camera/ priority=low']
    segment: { max_bytes: 8388608 }
    log.level: warn
    upload: { bandwidth_limit: 1000000 }
/robot_1/holdfast_recorder:
  ros__parameters:
    segment: { max_bytes: 2097152, max_age_ms: 30000 }
    topics: { include: [], exclude: ['/debug'] }
/*/holdfast_recorder:
  ros__parameters:
    queue: { max_bytes: 1048576 }
robot_2:
  holdfast_recorder:
    ros__parameters:
      segment.max_bytes: 4194304
      retention.when_full: drop-oldest
holdfast_recorder:
  ros__parameters:
    segment.max_bytes: 70000
`;
const BLACKBOARD = `
import rclpy
rclpy.init()
rclpy.spin(rclpy.create_node('blackboard', automatically_declare_parameters_from_overrides=True))
`;
const NAMES = [
  'segment.max_bytes',
  'segment.max_age_ms',
  'queue.max_bytes',
  'retention.when_full',
  'rules',
  'topics.exclude',
  'log.level',
];

onEveryMiddleware('parameters of the nodes', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let folder: TemporaryFolder;
  let probe: Probe;
  const children: RosChild[] = [];

  const get = async (node: string, names: readonly string[]): Promise<Value[]> =>
    (
      await probe.call<{ values: Value[] }>(`${node}/get_parameters`, 'rcl_interfaces/srv/GetParameters', {
        names,
      })
    ).values;
  const describeOne = async (node: string, name: string): Promise<Descriptor> =>
    (
      await probe.call<{ descriptors: Descriptor[] }>(
        `${node}/describe_parameters`,
        'rcl_interfaces/srv/DescribeParameters',
        { names: [name] },
      )
    ).descriptors[0]!;
  const set = async (node: string, name: string, value: Dictionary): Promise<Result> =>
    (
      await probe.call<{ results: Result[] }>(`${node}/set_parameters`, 'rcl_interfaces/srv/SetParameters', {
        parameters: [{ name, value }],
      })
    ).results[0]!;
  const integer = (value: number): Dictionary => ({ type: 2, integer_value: value });
  const text = (value: string): Dictionary => ({ type: 4, string_value: value });
  const texts = (value: string[]): Dictionary => ({ type: 9, string_array_value: value });

  before(async function () {
    ros = requireRos(this, { native: true });
    folder = new TemporaryFolder();
    const file = folder.at('params.yaml');
    writeFileSync(file, PARAMS);
    const start = (namespace: string, ...more: string[]): RosChild => {
      const sources = parameter('sources', ['sim:?robots=1']);
      const data = parameter('data', folder.at(namespace.slice(1)));
      const args = ['-r', `__ns:=${namespace}`, '--params-file', file, ...data, ...sources, ...more];
      const child = startNode(ros, 'recorder', args, DOMAIN);
      children.push(child);
      return child;
    };
    const managed = parameter('managed', true);
    start('/robot_1', ...managed, '-p', 'segmnt.max_bytes:=7', '-p', 'seal.chunk_bytes:=64KiB');
    start('/robot_2', ...managed);
    // A node of rclpy with the same name and arguments: it says what rcl's rules make of them.
    const same = [
      '--ros-args',
      '-r',
      '__node:=holdfast_recorder',
      '-r',
      '__ns:=/robot_3',
      '--params-file',
      file,
    ];
    children.push(startPython(ros, BLACKBOARD, same, { domainId: DOMAIN }));
    start('/robot_3', ...managed, '-r', '__node:=holdfast_twin');
    probe = new Probe(ros, DOMAIN);
    await probe.listen('/parameter_events', 'rcl_interfaces/msg/ParameterEvent');
    for (const name of [
      '/robot_1/holdfast_recorder',
      '/robot_2/holdfast_recorder',
      '/robot_3/holdfast_twin',
    ]) {
      await probe.there(name);
    }
  });

  after(async () => {
    await perhaps(probe)?.[Symbol.asyncDispose]();
    await stopRosChildren();
    perhaps(folder)?.[Symbol.dispose]();
  });

  it('come from the sections for each node in its namespace', async () => {
    const values = async (node: string): Promise<unknown[]> => {
      const [size, age, queue, full, rules, exclude, level] = firstOf(7, await get(node, NAMES));
      return [
        size.integer_value,
        age.integer_value,
        queue.integer_value,
        full.string_value,
        rules.string_array_value,
        exclude.string_array_value,
        level.string_value,
      ];
    };
    const rules = ['/camera/ priority=low'];
    assert.deepEqual(await values('/robot_1/holdfast_recorder'), [
      ...[2 ** 21, 30_000, 2 ** 20, 'stop', rules, ['/debug'], 'warn'],
    ]);
    assert.deepEqual(await values('/robot_2/holdfast_recorder'), [
      ...[2 ** 22, 60_000, 2 ** 20, 'drop-oldest', rules, [], 'warn'],
    ]);
    // Under another name only /** is meant.
    assert.deepEqual(await values('/robot_3/holdfast_twin'), [
      ...[
        2 ** 23,
        60_000,
        parameterTable['queue.max_bytes'].parse(parameterTable['queue.max_bytes'].default),
        'stop',
        rules,
        [],
        'warn',
      ],
    ]);
  });

  it('come as they come to a node of rclpy with the same arguments', async () => {
    const twin = '/robot_3/holdfast_recorder';
    await probe.there(twin);
    const [size, queue] = firstOf(2, await get(twin, ['segment.max_bytes', 'queue.max_bytes']));
    assert.deepEqual([size.integer_value, queue.integer_value], [2 ** 23, 2 ** 20]);
  });

  it('show type, range, unit and the allowed values', async () => {
    const node = '/robot_1/holdfast_recorder';
    const size = await describeOne(node, 'segment.max_bytes');
    assert.equal(size.type, 2);
    assert.deepEqual(
      size.integer_range.map(({ from_value, to_value }) => [from_value, to_value]),
      [[64 * 1024, 2 ** 30]],
    );
    assert.match(size.additional_constraints, /64KiB to 1GiB \(bytes\)/);
    assert.ok(size.description.length > 10);
    assert.equal(size.read_only, false);
    assert.equal((await describeOne(node, 'data')).read_only, true);
    assert.equal((await describeOne(node, 'topics.include')).type, 9);
  });

  it('take empty lists, at the start and later', async () => {
    const node = '/robot_1/holdfast_recorder';
    const [include] = firstOf(1, await get(node, ['topics.include']));
    assert.deepEqual([include.type, include.string_array_value], [9, []]);
    assert.deepEqual(await set(node, 'topics.exclude', texts([])), { successful: true, reason: '' });
    assert.deepEqual((await get(node, ['topics.exclude']))[0]!.string_array_value, []);
  });

  it('take a size spelled as text, and keep it an integer', async () => {
    const node = '/robot_1/holdfast_recorder';
    assert.equal((await get(node, ['seal.chunk_bytes']))[0]!.integer_value, 64 * 1024);
    assert.deepEqual(await set(node, 'segment.max_bytes', text('16MiB')), { successful: true, reason: '' });
    const [size] = firstOf(1, await get(node, ['segment.max_bytes']));
    assert.deepEqual([size.type, size.integer_value], [2, 16 * 2 ** 20]);
  });

  it('are refused with parameter, value and the allowed values', async () => {
    const node = '/robot_1/holdfast_recorder';
    for (const [name, value, reason] of [
      ['segment.max_bytes', integer(5), /^segment\.max_bytes is 5; allowed: 64KiB to 1GiB \(bytes\)$/],
      ['segment.max_bytes', { type: 3, double_value: 1.5 }, /^segment\.max_bytes is 1\.5; allowed/],
      ['segment.max_bytes', { type: 0 }, /^segment\.max_bytes is not set; allowed/],
      [
        'segment.max_bytes',
        { type: 7, integer_array_value: [1, 2] },
        /^segment\.max_bytes is \[1,2\]; allowed/,
      ],
      [
        'retention.when_full',
        text('explode'),
        /^retention\.when_full is "explode"; allowed: stop, drop-oldest/,
      ],
      ['topics.include', texts(['(']), /^topics\.include is \["\("\]; allowed: regular expressions/],
      ['data', text('/elsewhere'), /^data is fixed while the node runs/],
      [
        'segmnt.max_bytes',
        integer(5),
        /^segmnt\.max_bytes is not a parameter .* did you mean segment\.max_bytes\?/,
      ],
      // Right on its own, not with the others.
      [
        'batch.max_bytes',
        integer(32 * 2 ** 20),
        /^batch\.max_bytes is 33554432; .*at most segment\.max_bytes/,
      ],
    ] as const) {
      const result = await set(node, name, value);
      assert.equal(result.successful, false, name);
      assert.match(result.reason, reason);
    }
  });

  it('change together or not at all if asked so', async () => {
    const node = '/robot_2/holdfast_recorder';
    const atomically = (parameters: Dictionary[]): Promise<{ result: Result }> =>
      probe.call(`${node}/set_parameters_atomically`, 'rcl_interfaces/srv/SetParametersAtomically', {
        parameters,
      });
    const bad = await atomically([
      { name: 'segment.max_age_ms', value: integer(5_000) },
      { name: 'segment.max_bytes', value: integer(5) },
    ]);
    assert.equal(bad.result.successful, false);
    assert.equal((await get(node, ['segment.max_age_ms']))[0]!.integer_value, 60_000);
    const good = await atomically([
      { name: 'segment.max_age_ms', value: integer(5_000) },
      { name: 'segment.max_bytes', value: integer(2 ** 20) },
    ]);
    assert.ok(good.result.successful, good.result.reason);
    assert.equal((await get(node, ['segment.max_age_ms']))[0]!.integer_value, 5_000);
    const event = await probe.until<{ node: string; changed_parameters: { name: string }[] }>(
      '/parameter_events',
      (one) => one.node === node && one.changed_parameters.length === 2,
    );
    assert.deepEqual(
      event.changed_parameters.map(({ name }) => name),
      ['segment.max_age_ms', 'segment.max_bytes'],
    );
  });

  it('are listed by prefix', async () => {
    const list = await probe.call<{ result: { names: string[]; prefixes: string[] } }>(
      '/robot_1/holdfast_recorder/list_parameters',
      'rcl_interfaces/srv/ListParameters',
      { prefixes: ['segment'], depth: 0 },
    );
    assert.deepEqual(list.result.names.sort(), [
      'segment.max_age_ms',
      'segment.max_bytes',
      'segment.split_by_priority',
    ]);
    assert.deepEqual(list.result.prefixes, ['segment']);
  });

  it('are reported if the node does not know them, with the likely name', async () => {
    await children[0]!.waitFor(
      /unknown parameter: segmnt\.max_bytes \(7\) .*did you mean segment\.max_bytes\?/,
    );
    assert.doesNotMatch(children[0]!.output(), /bandwidth_limit/);
  });

  it('reach both of two namespaces from one launch file, each its own', async () => {
    const program = nodeCommand('recorder');
    const node = (namespace: string, size: number, exclude: string): string => `
      Node(executable=${JSON.stringify(program[0])}, arguments=${JSON.stringify([...program.slice(1)])},
           name='holdfast_recorder', namespace=${JSON.stringify(namespace)}, parameters=[{
             'managed': True, 'sources': ['sim:'], 'web.enabled': False, 'foxglove.enabled': False, 'data': ${JSON.stringify(folder.at(namespace))},
             'segment.max_bytes': ${size}, 'topics': {'exclude': [${JSON.stringify(exclude)}]}}]),`;
    const file = folder.at('two.launch.py');
    writeFileSync(
      file,
      `from launch import LaunchDescription
from launch_ros.actions import Node
def generate_launch_description():
    return LaunchDescription([${node('left', 1_048_576, '/a')}${node('right', 2_097_152, '/b')}
    ])
`,
    );
    const launch = startRos(ros, 'ros2', ['launch', file], { domainId: DOMAIN });
    children.push(launch);
    for (const [namespace, size, exclude] of [
      ['left', 1_048_576, '/a'],
      ['right', 2_097_152, '/b'],
    ] as const) {
      const name = `/${namespace}/holdfast_recorder`;
      await probe.there(name);
      const read = (parameterName: string): Promise<string> =>
        ros2OfNode(ros, ['param', 'get', name, parameterName], { domainId: DOMAIN });
      assert.match(await read('segment.max_bytes'), new RegExp(`Integer value is: ${size}`));
      assert.match(await read('topics.exclude'), new RegExp(`\\['${exclude}'\\]`));
    }
    await launch.stop('SIGINT');
    assert.match(launch.output(), /process has finished cleanly/);
  });

  it('stop the node from starting if a value is not allowed, with the allowed values', async () => {
    const child = startNode(
      ros,
      'recorder',
      [...parameter('segment.max_bytes', 5), '-p', 'retention.when_full:=explode'],
      DOMAIN,
    );
    assert.equal(await child.ended, 2);
    assert.match(child.output(), /segment\.max_bytes is 5; allowed: 64KiB to 1GiB/);
    assert.match(child.output(), /retention\.when_full is "explode"; allowed: stop/);
  });
});
