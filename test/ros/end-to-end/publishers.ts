import { present } from '../../../src/core/present.js';
import { cdrString } from '../../support/test-mcap.js';
import { startPython, type RosChild, type RosInstall } from '../../support/ros.js';

/** What a publisher in rclpy is to do: messages of std_msgs/msg/String, numbered per topic. */
export interface Publishing {
  readonly topics: readonly string[];
  /** Per topic. */
  readonly count: number;
  /** Per topic. */
  readonly perS: number;
  /** Transient local, depth 1. */
  readonly latched?: boolean;
  /** From this number on, fewer per second. */
  readonly calm?: { readonly from: number; readonly perS: number };
  /** Bytes added to each text. */
  readonly padding?: number;
}

/**
 * Waits for a subscriber of every topic ("matched"), publishes, and stays so that nothing on its way is lost
 * ("published" when done, "at N" every hundred).
 */
const PUBLISH = `
import json, sys, time, rclpy
from rclpy.qos import QoSProfile, DurabilityPolicy
from std_msgs.msg import String
plan = json.loads(sys.argv[1])
rclpy.init()
node = rclpy.create_node('publisher', enable_rosout=False, start_parameter_services=False)
latched = plan.get('latched', False)
qos = QoSProfile(depth=1 if latched else 1000, durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)
publishers = [(name, node.create_publisher(String, name, qos)) for name in plan['topics']]
padding = 'x' * plan.get('padding', 0)
if not latched:
    while any(publisher.get_subscription_count() == 0 for _, publisher in publishers):
        time.sleep(0.02)
    # The other side learns of us a little later than we of it.
    time.sleep(0.5)
print('matched', flush=True)
start = time.monotonic()
for number in range(plan['count']):
    for name, publisher in publishers:
        publisher.publish(String(data=f'{name} {number} {padding}'))
    if number % 100 == 0:
        print('at', number, flush=True)
    calm = plan.get('calm', {'from': plan['count'], 'perS': 1})
    due = min(number + 1, calm['from']) / plan['perS'] + max(0, number + 1 - calm['from']) / calm['perS']
    time.sleep(max(0, start + due - time.monotonic()))
print('published', flush=True)
while True:
    time.sleep(1)
`;

export function startPublisher(ros: RosInstall, domainId: number, plan: Publishing): RosChild {
  return startPython(ros, PUBLISH, [JSON.stringify(plan)], { domainId });
}

/** The payloads of one topic, as base64, in order. */
export function payloads(topic: string, { count, padding = 0 }: Publishing): string[] {
  return Array.from({ length: count }, (_, number) => payload(`${topic} ${number} ${'x'.repeat(padding)}`));
}

/** std_msgs/msg/String as CDR, base64. */
export function payload(text: string): string {
  return Buffer.from(cdrString(text)).toString('base64');
}

/**
 * A payload without the zeros that middlewares (Cyclone DDS, say) add behind it up to a multiple of four: any
 * subscriber gets them, and not every middleware adds them.
 */
export function withoutPadding(data: Buffer): string {
  const end = 8 + data.readUInt32LE(4);
  const rest = data.subarray(end);
  const isPadding = rest.byteLength < 4 && rest.every((byte) => byte === 0);
  return data.subarray(0, isPadding ? end : undefined).toString('base64');
}

/** Subscribes to `topic`, says "subscribed", then each message as it came, in base64. */
const SUBSCRIBE = `
import base64, sys, rclpy
from rclpy.qos import QoSProfile
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node('listener', enable_rosout=False, start_parameter_services=False)
node.create_subscription(String, sys.argv[1], lambda data: print('got', base64.b64encode(data).decode(), flush=True), QoSProfile(depth=1000), raw=True)
print('subscribed', flush=True)
rclpy.spin(node)
`;

/** Another subscriber, to compare with: what it got is what was on the topic. */
export function startSubscriber(ros: RosInstall, domainId: number, topic: string): RosChild {
  return startPython(ros, SUBSCRIBE, [topic], { domainId });
}

export function heardBy(subscriber: RosChild): string[] {
  return [...subscriber.output().matchAll(/got ([A-Za-z0-9+/=]+)/g)].map(([, data]) => present(data));
}

/** The number in a payload made by {@link startPublisher}. */
export function numberIn(base64: string): number {
  return Number(Buffer.from(base64, 'base64').subarray(8).toString('utf8').split(' ')[1]);
}
