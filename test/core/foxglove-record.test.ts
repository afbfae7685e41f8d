import assert from 'node:assert/strict';
import { foxgloveRecord, parseDeviceId, withoutFoxgloveKey } from '../../src/core/foxglove-record.js';

describe('the metadata record for Foxglove', () => {
  const none = { project: '', device: '', deviceIds: {}, key: false };

  it('says what is configured, in the names that Foxglove reads', () => {
    assert.equal(foxgloveRecord(none, 'r1', 's1'), undefined);
    const all = { project: 'prj_1', device: 'fleet-{robot}', deviceIds: { r2: 'dev_2' }, key: true };
    assert.deepEqual(foxgloveRecord(all, 'r1', 's1'), {
      ...{ projectId: 'prj_1', deviceName: 'fleet-r1', key: 's1' },
    });
    assert.deepEqual(foxgloveRecord(all, 'r2', 's1'), { projectId: 'prj_1', deviceId: 'dev_2', key: 's1' });
    // A robot with the name of a member that every object has.
    assert.deepEqual(foxgloveRecord({ ...none, key: true }, 'constructor', 's1'), { key: 's1' });
  });

  it('takes ids of devices by robot', () => {
    assert.deepEqual(parseDeviceId('r1=dev_abc'), ['r1', 'dev_abc']);
    for (const text of ['dev_abc', '=dev_abc', 'r1=', 'r1=a b']) assert.equal(parseDeviceId(text), undefined);
  });

  it('has no key in a file of several segments', () => {
    const metadata = { projectId: 'prj_1', key: 's1' };
    assert.deepEqual(withoutFoxgloveKey({ name: 'foxglove', metadata }).metadata, { projectId: 'prj_1' });
    assert.deepEqual(withoutFoxgloveKey({ name: 'other', metadata }).metadata, metadata);
  });
});
