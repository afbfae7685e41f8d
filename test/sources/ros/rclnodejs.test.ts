import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { loadRclnodejs, sourcedRos } from '../../../src/sources/ros/rclnodejs.js';

describe('Loading rclnodejs', () => {
  it('is refused in one line where ROS is not sourced', async () => {
    for (const [env, missing] of [
      [{}, /ROS_DISTRO and AMENT_PREFIX_PATH/],
      [{ ROS_DISTRO: 'jazzy' }, /AMENT_PREFIX_PATH/],
      [{ AMENT_PREFIX_PATH: '/x' }, /ROS_DISTRO/],
    ] as const) {
      await assert.rejects(loadRclnodejs(env), (error: unknown) => {
        assert.ok(isHoldfastError(error, 'ROS_NOT_SOURCED'), String(error));
        assert.match(error.message, missing);
        assert.match(error.message, /source \/opt\/ros/);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    }
  });

  it('never lets rclnodejs compile itself', async () => {
    const env = { ROS_DISTRO: 'jazzy', AMENT_PREFIX_PATH: '/x', RCLNODEJS_FORCE_BUILD: '1' };
    await assert.rejects(loadRclnodejs(env), (error: unknown) => isHoldfastError(error, 'ROS_NOT_BUILT'));
  });

  it('takes the prefixes in the order of the overlays', () => {
    const env = { ROS_DISTRO: 'jazzy', AMENT_PREFIX_PATH: '/ws:/opt/ros/jazzy:' };
    assert.deepEqual(sourcedRos(env), { distro: 'jazzy', prefixes: ['/ws', '/opt/ros/jazzy'] });
  });
});
