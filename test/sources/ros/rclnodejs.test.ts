import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { present } from '../../../src/core/present.js';
import { withReceiveBuffer } from '../../../src/sources/ros/cyclone-config.js';
import { loadRclnodejs, sourcedRos } from '../../../src/sources/ros/rclnodejs.js';

describe('Loading rclnodejs', () => {
  it('is refused in one line if ROS is not sourced', async () => {
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

describe('The receive buffer of Cyclone DDS', () => {
  const files: Readonly<Record<string, string>> = {
    '/etc/own.xml':
      '<CycloneDDS><Domain><Internal><SocketReceiveBufferSize min="2MB"/></Internal></Domain></CycloneDDS>',
    '/etc/lo.xml': '<CycloneDDS/>',
  };
  const read = (path: string): string => files[path] ?? assert.fail(path);
  const uri = (CYCLONEDDS_URI?: string, RMW_IMPLEMENTATION = 'rmw_cyclonedds_cpp'): string | undefined =>
    withReceiveBuffer({ RMW_IMPLEMENTATION, CYCLONEDDS_URI }, read);

  it('is enlarged beside whatever else is configured', () => {
    const ours = /<SocketReceiveBufferSize max="8MB"\/>/;
    assert.match(present(uri()), ours);
    assert.match(present(uri('')), /^<CycloneDDS>/);
    assert.match(present(uri('file:///etc/lo.xml')), /^file:\/\/\/etc\/lo\.xml,<CycloneDDS>/);
    assert.match(present(uri('/etc/lo.xml,<General/>')), ours);
    assert.match(present(uri('file:///not/there.xml')), ours);
  });

  it('is left alone if it is configured, and on other middlewares', () => {
    assert.equal(uri('file:///etc/own.xml'), undefined);
    assert.equal(uri('file:///etc/lo.xml,/etc/own.xml'), undefined);
    assert.equal(uri('<SocketReceiveBufferSize min="1MB"/>'), undefined);
    assert.equal(uri('', 'rmw_fastrtps_cpp'), undefined);
  });
});
