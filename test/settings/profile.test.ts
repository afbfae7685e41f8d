import assert from 'node:assert/strict';
import { startValues } from '../../src/app/ros/start-values.js';
import { compileRecorderOptions } from '../../src/settings/compile-recorder.js';
import { readConfigFile } from '../../src/settings/config-file.js';
import { isParameterName, parameterNamed } from '../../src/settings/parameter-table.js';
import { profileDefaults, profiles } from '../../src/settings/profile.js';
import { resolve } from '../../src/settings/resolve.js';

const MIB = 2 ** 20;
const file = (yaml: string): ReturnType<typeof readConfigFile> => readConfigFile(yaml, 'test.yaml');
const sources = ['sim:'];

describe('a profile', () => {
  it('has only values that its parameters allow', () => {
    for (const profile of profiles) {
      for (const [name, raw] of Object.entries(profileDefaults[profile])) {
        assert.ok(isParameterName(name), name);
        assert.notEqual(parameterNamed(name).parse(raw), undefined, `${profile} ${name}`);
      }
    }
  });

  it('replaces defaults, and gives way to the file and to flags', () => {
    const yaml = '/**/holdfast_recorder: { ros__parameters: { queue.total_max_bytes: 32MiB } }';
    const { values } = resolve('recorder', file(yaml), { profile: 'small', 'segment.max_bytes': '8MiB' });
    assert.equal(values['queue.total_max_bytes'], 32 * MIB);
    assert.equal(values['segment.max_bytes'], 8 * MIB);
    assert.equal(values['batch.max_bytes'], MIB / 2);
    assert.equal(values['web.enabled'], false);
  });

  it('can be set in the file, for both or for one', () => {
    const yaml =
      '{/**: {ros__parameters: {profile: small}}, holdfast_sync: {ros__parameters: {profile: standard}}}';
    assert.equal(resolve('recorder', file(yaml), {}).values['batch.max_bytes'], MIB / 2);
    assert.equal(resolve('sync', file(yaml), {}).values['upload.part_bytes'], 8 * MIB);
    assert.equal(resolve('sync', file(yaml), { profile: 'small' }).values['upload.part_bytes'], 5 * MIB);
  });

  it('leaves dependent defaults as free as those of the table', () => {
    const resolved = resolve('recorder', undefined, {
      profile: 'small',
      sources,
      'queue.total_max_bytes': '4MiB',
    });
    const options = compileRecorderOptions(resolved, { hostname: 'crawler' });
    assert.deepEqual([options.queue.maxBytes, options.ballastBytes], [4 * MIB, 40 * MIB]);
    assert.equal(options.seal.thread, false);
  });

  it('that does not exist is a fault', () => {
    const { faults } = resolve('recorder', undefined, { profile: 'tiny' });
    assert.deepEqual(
      faults.map(({ path, allowed }) => [path, allowed]),
      [['profile', 'allowed: standard, small']],
    );
  });

  it('sets the defaults of a ROS node', () => {
    const given = new Map<string, unknown>([
      ['profile', 'small'],
      ['batch.max_count', 500],
    ]);
    const { initial } = startValues('recorder', given, { robot: 'crawler' }, () => false);
    assert.deepEqual(
      ['queue.max_bytes', 'batch.max_count', 'robot'].map((name) => initial.get(name)),
      [8 * MIB, 500, 'crawler'],
    );
  });
});
