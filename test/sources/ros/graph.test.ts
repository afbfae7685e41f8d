import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { Graph } from '../../../src/sources/ros/graph.js';

const S = 1_000_000_000n;

/** A graph with the given endpoints, in the form of rclnodejs. */
class FakeNode {
  topics = new Map<string, { node: string; reliability: number; fails?: boolean }[]>();
  looks: string[] = [];
  namespaces = ['/'];

  getTopicNamesAndTypes() {
    return [...this.topics.keys()].map((name) => ({ name, types: ['std_msgs/msg/String'] }));
  }
  countPublishers(topic: string): number {
    return present(this.topics.get(topic)).length;
  }
  getNodeNamesAndNamespaces() {
    return this.namespaces.map((namespace) => ({ name: 'n', namespace }));
  }
  getPublishersInfoByTopic(topic: string): object[] {
    this.looks.push(topic);
    return present(this.topics.get(topic)).map(({ node, reliability, fails }) => {
      if (fails) throw new Error('unreadable');
      const duration = { seconds: 0n, nanoseconds: 0 };
      return {
        node_name: node,
        node_namespace: '/',
        topic_type: 'std_msgs/msg/String',
        endpoint_gid: [1, 2],
        qos_profile: {
          depth: 1,
          history: 1,
          durability: 2,
          reliability,
          lifespan: duration,
          deadline: duration,
          liveliness: 1,
          liveliness_lease_duration: duration,
          avoid_ros_namespace_conventions: false,
        },
      };
    });
  }
}

function setUp(): { node: FakeNode; graph: Graph; faults: string[]; changes: (now: bigint) => string[] } {
  const node = new FakeNode();
  const faults: string[] = [];
  const graph = new Graph(node as never, (topic) => faults.push(topic));
  const changes = (now: bigint): string[] =>
    graph
      .poll(now)
      .topics.map(({ topic, publishers }) => `${topic} ${publishers.map((one) => one.node).join()}`);
  return { node, graph, faults, changes };
}
const by = (node: string, reliability = 1) => ({ node, reliability });

describe('The ROS graph, polled', () => {
  it('reports topics that come, change and go, and of nothing else', () => {
    const { node, changes } = setUp();
    node.topics.set('/a', [by('x')]).set('/unpublished', []);
    assert.deepEqual(changes(0n), ['/a x']);
    assert.deepEqual(changes(1n), []);
    node.topics.set('/a', [by('x'), by('y')]).set('/b', [by('z')]);
    assert.deepEqual(changes(2n), ['/a x,y', '/b z']);
    node.topics.set('/a', []);
    node.topics.delete('/b');
    assert.deepEqual(changes(3n), ['/a ', '/b ']);
    assert.deepEqual(changes(4n), []);
  });

  it('notices a publisher that replaced another, or offers something else, within two seconds', () => {
    const { node, graph, changes } = setUp();
    node.topics.set('/a', [by('x')]);
    changes(0n);
    node.topics.set('/a', [by('y')]);
    assert.deepEqual(changes(1n * S), []);
    assert.deepEqual(changes(2n * S), ['/a y']);
    node.topics.set('/a', [by('y', 2)]);
    graph.suspect('/a');
    assert.deepEqual(changes(2n * S + 1n), ['/a y'], 'at once after a request');
  });

  it('looks at hundreds of topics in turn', () => {
    const { node, changes } = setUp();
    for (let i = 0; i < 100; i++) node.topics.set(`/t${i}`, [by('x')]);
    assert.equal(changes(0n).length, 100, 'new ones all at once');
    node.looks = [];
    for (let i = 0n; i < 10n; i++) {
      const before = node.looks.length;
      changes(3n * S + i);
      assert.ok(node.looks.length - before <= 16);
    }
    assert.equal(new Set(node.looks).size, 100);
  });

  it('continues if a topic cannot be queried, and reports that once', () => {
    const { node, faults, changes } = setUp();
    node.topics.set('/bad', [{ ...by('x'), fails: true }]).set('/good', [by('x')]);
    assert.deepEqual(changes(0n), ['/good x']);
    changes(1n);
    assert.deepEqual(faults, ['/bad']);
    node.topics.set('/bad', [by('x')]);
    assert.deepEqual(changes(2n), ['/bad x']);
  });

  it('reports the namespaces of the nodes when they change', () => {
    const { node, graph } = setUp();
    assert.deepEqual(graph.poll(0n).namespaces, ['/']);
    assert.equal(graph.poll(1n).namespaces, undefined);
    node.namespaces = ['/r2', '/', '/r1', '/r1'];
    assert.deepEqual(graph.poll(2n).namespaces, ['/', '/r1', '/r2']);
  });
});
