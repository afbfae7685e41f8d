import { HISTORY, DURABILITY, RELIABILITY, type OfferedQos } from '../../src/sources/ros/endpoints.js';

const infinite = { sec: 9_223_372_036n, nsec: 854_775_807 };

/** What a publisher with rclcpp's defaults offers. */
export function offer(change: Partial<OfferedQos> = {}): OfferedQos {
  return {
    history: HISTORY.keep_last,
    depth: 10,
    reliability: RELIABILITY.reliable,
    durability: DURABILITY.volatile,
    deadline: infinite,
    lifespan: infinite,
    liveliness: 1,
    livelinessLease: infinite,
    avoidRosNamespaceConventions: false,
    ...change,
  };
}
