import type { QoS } from 'rclnodejs';
import { parse } from 'yaml';
import type { Qos } from '../../core/ros/qos.js';
import { publisherQos } from '../../sources/ros/publisher-qos.js';
import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';

/** The QoS of the first profile of `offered_qos_profiles`, as the simulator writes it. */
export function readQos(rcl: Rclnodejs, yaml: string): QoS {
  return publisherQos(rcl, (parse(yaml) as readonly [Qos])[0]);
}
