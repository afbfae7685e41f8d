import assert from 'node:assert/strict';
import { describeSecurity } from '../../../src/sources/ros/security.js';

const enabled = { ROS_SECURITY_ENABLE: 'true', ROS_SECURITY_KEYSTORE: '/keys' };

describe('the description of SROS2', () => {
  it('is absent unless rcl enables security', () => {
    assert.equal(describeSecurity({}), undefined);
    assert.equal(describeSecurity({ ...enabled, ROS_SECURITY_ENABLE: '1' }), undefined);
  });

  it('names the enclave that rcl takes: of the environment, else of the arguments, else the root', () => {
    const args = ['--ros-args', '--enclave', '/recorder'];
    assert.equal(describeSecurity(enabled), 'SROS2 enclave / of /keys, strategy Permissive');
    assert.equal(describeSecurity(enabled, args), 'SROS2 enclave /recorder of /keys, strategy Permissive');
    const strict = {
      ...enabled,
      ROS_SECURITY_ENCLAVE_OVERRIDE: '/override',
      ROS_SECURITY_STRATEGY: 'Enforce',
    };
    assert.equal(describeSecurity(strict, args), 'SROS2 enclave /override of /keys, strategy Enforce');
  });

  it('says that no keystore is named', () => {
    const text = describeSecurity({ ROS_SECURITY_ENABLE: 'true' }) ?? '';
    assert.match(text, /no keystore \(ROS_SECURITY_KEYSTORE is not set\)/);
  });
});
