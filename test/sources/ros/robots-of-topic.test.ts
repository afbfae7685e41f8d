import assert from 'node:assert/strict';
import fc from 'fast-check';
import { robotsOfTopic, type GlobalRule, type RobotRule } from '../../../src/sources/ros/robots-of-topic.js';

const graph = (topic: string, publishers: string[], nodes: string[] = publishers) => ({
  topic,
  publisherNamespaces: publishers,
  nodeNamespaces: nodes,
});
const rule = (namespaces: readonly string[] | 'auto', global: GlobalRule = 'concerned'): RobotRule => ({
  kind: 'namespaces',
  namespaces,
  global,
});

describe('The robots of a ROS topic', () => {
  it('are the recorder’s own robot if namespaces are not used', () => {
    const byTopic: RobotRule = { kind: 'by-topic', robotOf: (topic) => `<${topic}>` };
    assert.deepEqual(robotsOfTopic(byTopic, graph('/tf', ['/r1'])), ['</tf>']);
  });

  it('are those whose namespace contains its name, the longest of several', () => {
    const listed = rule(['/fleet', '/fleet/r1', '/r']);
    assert.deepEqual(robotsOfTopic(listed, graph('/fleet/r1/imu', ['/other'])), ['fleet/r1']);
    assert.deepEqual(robotsOfTopic(listed, graph('/fleet/r10/imu', ['/'])), ['fleet']);
    assert.deepEqual(robotsOfTopic(listed, graph('/r/imu', ['/'])), ['r']);
  });

  it('are decided by the name even if another robot publishes it', () => {
    assert.deepEqual(robotsOfTopic(rule('auto'), graph('/r2/cmd', ['/r1'], ['/r1', '/r2'])), ['r2']);
  });

  it('are taken from the namespaces of the nodes with auto, hidden ones aside', () => {
    const nodes = ['/', '/r1/arm', '/r2', '/_ros2cli'];
    assert.deepEqual(robotsOfTopic(rule('auto'), graph('/r1/imu', ['/'], nodes)), ['r1']);
    assert.deepEqual(robotsOfTopic(rule('auto'), graph('/_ros2cli/x', ['/r2'], nodes)), ['r2']);
  });

  it('are for a global topic those whose nodes publish it', () => {
    const nodes = ['/r1', '/r2', '/r3', '/'];
    assert.deepEqual(robotsOfTopic(rule('auto'), graph('/tf', ['/r1', '/r3/nav', '/'], nodes)), ['r1', 'r3']);
  });

  it('are all robots for what none of them publishes, as the clock of a simulator', () => {
    assert.deepEqual(robotsOfTopic(rule('auto'), graph('/clock', ['/'], ['/', '/r2', '/r1'])), ['r1', 'r2']);
    assert.deepEqual(robotsOfTopic(rule(['/b', '/a']), graph('/clock', ['/'])), ['a', 'b']);
  });

  it('are _shared, or all, if the rule for global topics says so', () => {
    const tf = graph('/tf', ['/r1'], ['/r1', '/r2']);
    assert.deepEqual(robotsOfTopic(rule('auto', 'shared'), tf), ['_shared']);
    assert.deepEqual(robotsOfTopic(rule('auto', 'all'), tf), ['r1', 'r2']);
  });

  it('are the robot of the domain instead of _shared, if it has one', () => {
    const named: RobotRule = { kind: 'namespaces', namespaces: 'auto', global: 'shared', fallback: 'van' };
    assert.deepEqual(robotsOfTopic(named, graph('/tf', ['/'])), ['van']);
  });

  it('are never none, and never named twice', () => {
    const segment = fc.constantFrom('r1', 'r2', 'tf', '_x', 'arm');
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
    const namespace = fc.oneof(fc.constant('/'), path);
    fc.assert(
      fc.property(
        path,
        fc.array(namespace),
        fc.array(namespace),
        fc.oneof(fc.constant('auto' as const), fc.array(path)),
        fc.constantFrom<GlobalRule>('concerned', 'all', 'shared'),
        (topic, publishers, nodes, namespaces, global) => {
          const robots = robotsOfTopic(
            rule(namespaces === 'auto' ? 'auto' : [...new Set(namespaces)], global),
            {
              topic,
              publisherNamespaces: publishers,
              nodeNamespaces: nodes,
            },
          );
          assert.ok(robots.length > 0 && robots.every((robot) => robot !== ''));
          assert.equal(new Set(robots).size, robots.length);
        },
      ),
    );
  });
});
