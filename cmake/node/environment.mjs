// What the native parts of an installation depend on: ROS distribution, Node.js ABI, processor.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Lowest Node.js that works; package.json says the same. */
const NODE_FLOOR = [20, 19];

/** @returns the facts an installation is bound to; native-check.cjs compares them at every start. */
export function readEnvironment() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor < NODE_FLOOR[1])) {
    throw new Error(
      `Node.js ${process.versions.node} is too old: Holdfast needs ${NODE_FLOOR.join('.')} or later, ` +
        'tried on 20, 22, 24 and 26 (docs/ros-package.md says where to get it); choose another with -DHOLDFAST_NODE=/path/to/node',
    );
  }
  const rosDistro = process.env.ROS_DISTRO;
  if (!rosDistro || !process.env.AMENT_PREFIX_PATH) {
    throw new Error('ROS 2 is not sourced: ROS_DISTRO or AMENT_PREFIX_PATH is not set');
  }
  return {
    rosDistro,
    nodeAbi: process.versions.modules,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
  };
}

/** The environment of npm and node-gyp: quiet, and without a download where the headers lie beside node. */
export function toolEnvironment(offline) {
  const prefix = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
  return {
    ...process.env,
    // The build's own Node.js comes first, whatever else is installed.
    PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    ...(hasHeaders && !process.env.npm_config_nodedir ? { npm_config_nodedir: prefix } : {}),
    ...(offline ? { npm_config_offline: 'true' } : {}),
    npm_config_update_notifier: 'false',
    npm_config_progress: 'false',
    NO_COLOR: '1',
  };
}
