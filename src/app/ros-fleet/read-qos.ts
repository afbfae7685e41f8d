import type { QoS } from 'rclnodejs';
import { parse } from 'yaml';
import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';

interface Profile {
  readonly depth: number;
  readonly reliability: string;
  readonly durability: string;
}

/** The QoS of the first profile of `offered_qos_profiles`, as the simulator writes it. */
export function readQos(rcl: Rclnodejs, yaml: string): QoS {
  const { HistoryPolicy, ReliabilityPolicy, DurabilityPolicy } = rcl.QoS;
  const { depth, reliability, durability } = (parse(yaml) as readonly [Profile])[0];
  return new rcl.QoS(
    HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
    depth,
    reliability === 'reliable'
      ? ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE
      : ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT,
    durability === 'transient_local'
      ? DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL
      : DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_VOLATILE,
  );
}
