import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isLive } from '../../../src/app/ros/live-parameters.js';
import { ParameterSet } from '../../../src/app/ros/parameter-set.js';
import { rawOfMessage } from '../../../src/app/ros/ros-value.js';
import { resolvedValues, startValues } from '../../../src/app/ros/start-values.js';
import { parameterNamesFor, parameterNamed } from '../../../src/settings/parameter-table.js';
import type { RawValue, Role } from '../../../src/settings/parameter.js';

function setOf(
  role: Role,
  overrides: Record<string, unknown> = {},
  apply: (changes: ReadonlyMap<string, RawValue>) => void = () => undefined,
): ParameterSet {
  const { parameters, initial } = startValues(role, new Map(Object.entries(overrides)), {}, (name) =>
    isLive(role, name),
  );
  return new ParameterSet({ parameters, initial, apply });
}

describe('parameters of a node', () => {
  for (const role of ['recorder', 'sync'] as const) {
    it(`of ${role} read back to the table's defaults, every one`, () => {
      const set = setOf(role);
      for (const name of parameterNamesFor(role)) {
        const row = parameterNamed(name);
        if (row.default === undefined) continue;
        const message = set.get(name);
        assert.equal(message.type, set.type(name), name);
        assert.deepEqual(
          row.parse(rawOfMessage(message)),
          row.parse(row.default),
          `${name}: ${JSON.stringify(rawOfMessage(message))}`,
        );
      }
    });

    it(`of ${role} have a description, a constraint, and a range where they are numbers`, () => {
      const set = setOf(role);
      for (const name of set.names) {
        const descriptor = set.describe(name);
        assert.ok(descriptor.description.length > 8, name);
        assert.match(descriptor.additional_constraints, /^allowed: ./, name);
        assert.equal(descriptor.integer_range.length, descriptor.type === 2 ? 1 : 0, name);
        assert.equal(descriptor.floating_point_range.length, descriptor.type === 3 ? 1 : 0, name);
        assert.equal(descriptor.read_only, !isLive(role, name), name);
      }
    });
  }

  it('keep their value when the code that applies the new one refuses it', () => {
    const set = setOf('recorder', {}, () => {
      throw new Error('not together with the others');
    });
    const before = set.get('segment.max_bytes');
    const result = set.set([{ name: 'segment.max_bytes', value: { type: 2, integer_value: 1_048_576n } }]);
    assert.deepEqual(result, { successful: false, reason: 'not together with the others' });
    assert.deepEqual(set.get('segment.max_bytes'), before);
  });

  it('are never changed by a value of the wrong kind, whatever it is', () => {
    const set = setOf('recorder');
    const value = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      bool_value: fc.boolean(),
      integer_value: fc.bigInt(),
      double_value: fc.double(),
      string_value: fc.string(),
      byte_array_value: fc.uint8Array(),
      bool_array_value: fc.array(fc.boolean()),
      integer_array_value: fc.array(fc.bigInt()),
      double_array_value: fc.array(fc.double()),
      string_array_value: fc.array(fc.string()),
    });
    fc.assert(
      fc.property(fc.constantFrom(...set.names), value, (name, message) => {
        const before = set.get(name);
        const { successful, reason } = set.set([{ name, value: message }]);
        const row = parameterNamed(name as never) as ReturnType<typeof parameterNamed> | undefined;
        if (successful) assert.notEqual(row?.parse(rawOfMessage(message)), undefined);
        else {
          assert.ok(reason.startsWith(name), reason);
          assert.deepEqual(set.get(name), before);
        }
        assert.equal(set.get(name).type, before.type);
      }),
    );
  });

  it('list what lies under a prefix, as deep as asked', () => {
    const set = setOf('recorder');
    assert.ok(set.list([], 1).names.every((name) => !name.includes('.')));
    assert.deepEqual(set.list([], 0).names, set.names);
    assert.deepEqual(set.list(['durability'], 0).names, ['durability.mode', 'durability.interval_ms']);
    assert.deepEqual(set.list(['nothing'], 0), { names: [], prefixes: [] });
  });

  it('answer for a name they do not know without a type', () => {
    const set = setOf('sync');
    assert.deepEqual([set.get('x').type, set.type('x'), set.describe('x').type], [0, 0, 0]);
  });
});

describe('values a node starts with', () => {
  const start = (
    role: Role,
    overrides: Record<string, unknown>,
    defaults = {},
  ): ReturnType<typeof startValues> =>
    startValues(role, new Map(Object.entries(overrides)), defaults, () => true);

  it('report invalid values and unknown names, with the likely name', () => {
    const { faults, unknown } = start('recorder', {
      'segment.max_bytes': 5,
      'segmnt.max_bytes': 6,
      'store.uri': 'dir:x',
      'qos_overrides./x.subscription.depth': 5,
      start_type_description_service: true,
    });
    assert.deepEqual(
      faults.map(({ path, value }) => [path, value]),
      [['segment.max_bytes', 5]],
    );
    assert.deepEqual(unknown, [
      'segmnt.max_bytes (6) is not a parameter of this node; did you mean segment.max_bytes?',
    ]);
  });

  it('take a spelled size, an empty list and a single text for a list', () => {
    const { initial, faults } = start('recorder', {
      'segment.max_bytes': '1MiB',
      'topics.include': [],
      'topics.exclude': '/debug',
      robot: 7,
    });
    assert.deepEqual(faults, []);
    assert.equal(initial.get('segment.max_bytes'), 2 ** 20);
    assert.deepEqual(initial.get('topics.include'), []);
    assert.deepEqual(initial.get('topics.exclude'), ['/debug']);
    assert.equal(initial.get('robot'), '7');
  });

  it('tell given values from defaults, so that a default bound gives way to a smaller one', () => {
    const { initial, given } = start('recorder', { 'segment.max_bytes': '1MiB' }, { robot: 'robot_1' });
    const resolved = resolvedValues('recorder', initial, given);
    assert.equal(resolved.origin['segment.max_bytes'], 'ROS parameter');
    assert.equal(resolved.origin['batch.max_bytes'], 'default');
    assert.equal(resolved.values.robot, 'robot_1');
  });

  it('use simulated time for the source if the node does, unless the source sets it', () => {
    const resolved = (overrides: Record<string, unknown>): boolean => {
      const { initial, given } = start('recorder', overrides);
      return resolvedValues('recorder', initial, given).values['ros.use_sim_time'];
    };
    assert.equal(resolved({}), false);
    assert.equal(resolved({ use_sim_time: true }), true);
    assert.equal(resolved({ use_sim_time: true, 'ros.use_sim_time': false }), false);
  });
});
