/** ROS distribution of this process's environment, such as `jazzy`; empty if none is sourced. */
export function rosDistribution(): string {
  return process.env['ROS_DISTRO'] ?? '';
}
