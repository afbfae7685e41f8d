import { defined } from '../../src/core/defined.js';
import { startPython, type RosChild, type RosInstall } from './ros.js';

/** One topic a {@link startPublisher} process publishes std_msgs/msg/String on. */
export interface PublishedTopic {
  readonly topic: string;
  /** How many messages: `<prefix>0`, `<prefix>1`, ...; 0: until it is stopped. */
  readonly count: number;
  /** Messages per second over all; 0: as fast as it can. */
  readonly hz?: number;
  readonly prefix?: string;
  readonly reliable?: boolean;
  readonly latched?: boolean;
  readonly depth?: number;
  /** The data is this many characters, filled up behind the number. */
  readonly size?: number;
  /** `pkg/msg/Type`; others than String are published empty, without numbers. */
  readonly type?: string;
}

export interface PublisherOptions {
  readonly domainId: number;
  readonly node?: string;
  readonly namespace?: string;
  /** Publishes only once every topic has this many subscribers (default 1; 0: at once). */
  readonly subscribers?: number;
  readonly env?: NodeJS.ProcessEnv;
}

// Says "ready" when the publishers are there, "matched" when it begins, "done N" when all is published; then
// it stays until a stop command, or for the given seconds.
const PROGRAM = `
import sys, json, time, importlib, signal
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy, DurabilityPolicy
o = json.loads(sys.argv[1])
rclpy.init(args=[])
stopping = []
signal.signal(signal.SIGINT, lambda *_: stopping.append(1))
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
node = rclpy.create_node(o['node'], namespace=o['namespace'])
out = []
for t in o['topics']:
    pkg, _, name = t.get('type', 'std_msgs/msg/String').split('/')
    cls = getattr(importlib.import_module(pkg + '.msg'), name)
    qos = QoSProfile(depth=t.get('depth', 1000),
        reliability=ReliabilityPolicy.RELIABLE if t.get('reliable', True) else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if t.get('latched') else DurabilityPolicy.VOLATILE)
    out.append((t, cls, node.create_publisher(cls, t['topic'], qos)))
print('ready', flush=True)
while not stopping and any(p.get_subscription_count() < o['subscribers'] for _, _, p in out):
    time.sleep(0.01)
# A writer knows about a reader before that reader knows about it, and what it sends in between is lost.
if o['subscribers']: time.sleep(0.7)
print('matched', flush=True)
n = 0
start = time.monotonic()
while not stopping:
    todo = [x for x in out if x[0]['count'] == 0 or n < x[0]['count']]
    if not todo: break
    for t, cls, p in todo:
        m = cls()
        if hasattr(m, 'data') and isinstance(m.data, str):
            m.data = (t.get('prefix', '') + str(n)).ljust(t.get('size', 0), '.')
        p.publish(m)
    n += 1
    hz = out[0][0].get('hz', 0)
    if hz:
        wait = start + n / hz - time.monotonic()
        if wait > 0: time.sleep(wait)
print('done', n, flush=True)
while not stopping: time.sleep(0.02)
node.destroy_node()
rclpy.shutdown()
`;

/** A publisher in a process of its own, in Python. */
export function startPublisher(
  ros: RosInstall,
  topics: readonly PublishedTopic[],
  options: PublisherOptions,
): RosChild {
  const { domainId, node = 'publisher', namespace = '/', subscribers = 1, env } = options;
  return startPython(ros, PROGRAM, [JSON.stringify({ node, namespace, subscribers, topics })], {
    domainId,
    ...defined({ env }),
  });
}

/** The bytes of a std_msgs/msg/String as every ROS middleware sends them. */
export function stringMessage(data: string): Buffer {
  const text = Buffer.from(`${data}\0`);
  const head = Buffer.from('0001000000000000', 'hex');
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, text]);
}

/** What {@link stringMessage} was made of. */
export function stringOf(data: Uint8Array): string {
  const bytes = Buffer.from(data);
  return bytes.toString('utf8', 8, 8 + bytes.readUInt32LE(4) - 1);
}
