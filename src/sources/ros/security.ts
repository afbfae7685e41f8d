import type { RosEnvironment } from './rclnodejs.js';

/**
 * What a node of this process joins a secured graph with, as a clause for errors: rcl and the middlewares do not
 * say it when they refuse.
 *
 * @param args Arguments of rcl, such as `--ros-args --enclave /recorder`.
 * @returns undefined if SROS2 is off.
 */
export function describeSecurity(env: RosEnvironment, args: readonly string[] = []): string | undefined {
  // The only spelling that rcl accepts.
  if (env.ROS_SECURITY_ENABLE !== 'true') return undefined;
  const at = Math.max(args.lastIndexOf('--enclave'), args.lastIndexOf('-e'));
  const named = at < 0 ? undefined : args[at + 1];
  const enclave = env.ROS_SECURITY_ENCLAVE_OVERRIDE ?? named ?? '/';
  const keystore = env.ROS_SECURITY_KEYSTORE ?? 'no keystore (ROS_SECURITY_KEYSTORE is not set)';
  return `SROS2 enclave ${enclave} of ${keystore}, strategy ${env.ROS_SECURITY_STRATEGY ?? 'Permissive'}`;
}
